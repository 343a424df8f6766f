package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.LeftGuest;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.identity.Incarnation;
import java.io.IOException;
import java.util.List;

/** A machine whose QEMU has outlived its agent. */
final class LeftMachine implements LeftGuest {
  private final QemuGuest guest;
  private final KeptQemu qemu;
  private final List<Incarnation> agents;

  LeftMachine(QemuGuest guest, KeptQemu qemu, List<Incarnation> agents) {
    this.guest = guest;
    this.qemu = qemu;
    this.agents = agents;
  }

  @Override
  public IncomingGuest guest() {
    return guest;
  }

  @Override
  public List<Incarnation> agents() {
    return agents;
  }

  @Override
  public void attach() throws IOException, InterruptedException {
    boolean isAttached = false;
    try {
      qemu.goOn();
      guest.attach(qemu);
      isAttached = true;
    } catch (IOException e) {
      fail(IoFailure.sentence(e));
      throw e;
    } finally {
      if (!isAttached) {
        qemu.kill();
      }
    }
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
    guest.detach();
    qemu.letGo();
  }
}
