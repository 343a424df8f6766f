package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.LeftGuest;
import dev.pageferry.common.identity.Incarnation;
import java.io.IOException;
import java.util.List;

/** A machine whose QEMU has outlived its agent. */
final class LeftMachine implements LeftGuest {
  private final QemuGuest guest;
  private final KeptQemu qemu;
  private final MachineRecord record;

  LeftMachine(QemuGuest guest, KeptQemu qemu, MachineRecord record) {
    this.guest = guest;
    this.qemu = qemu;
    this.record = record;
  }

  @Override
  public IncomingGuest guest() {
    return guest;
  }

  @Override
  public List<Incarnation> agents() {
    return record.agents();
  }

  @Override
  public long epoch() {
    return record.epoch();
  }

  @Override
  public void attach() throws IOException, InterruptedException {
    qemu.goOn();
    guest.attach(qemu);
  }

  @Override
  public void fail(String reason) {
    qemu.kill();
    guest.failed("it was not taken over: " + reason);
  }

  @Override
  public void end() {
    qemu.kill();
    guest.close();
  }

  @Override
  public void leave() {
    if (guest.isKept()) {
      guest.detach();
      qemu.rest();
    } else {
      end();
    }
  }
}
