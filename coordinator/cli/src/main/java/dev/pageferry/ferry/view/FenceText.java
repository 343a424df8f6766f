package dev.pageferry.ferry.view;

import dev.pageferry.proto.cluster.v1.FenceAttempt;
import dev.pageferry.proto.cluster.v1.FenceDevice;
import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.HostFencing;
import java.util.Map;
import java.util.TreeMap;

/** By what hosts are switched off. Secrets never come here: of these the file is shown. */
public final class FenceText {
  private FenceText() {
  }

  /** A line for each device. */
  public static String of(HostFencing fencing, Palette palette) {
    Details details = new Details().add("host", fencing.getHost());
    for (int i = 0; i < fencing.getDevicesCount(); i++) {
      details.add("fence device %d".formatted(i + 1), of(fencing.getDevices(i)));
      if (i < fencing.getStatusesCount()) {
        details.add("status %d".formatted(i + 1), "%s: %s".formatted(
            palette.paint(fencing.getStatuses(i).getState().toString()),
            Output.oneLine(fencing.getStatuses(i).getText())));
      }
    }
    return details.text() + (fencing.getDevicesCount() == 0 ? "no fence agents\n" : "");
  }

  /** Adds what is known of a host's. */
  public static void add(Details details, Host host, Palette palette) {
    for (int i = 0; i < host.getFenceDevicesCount(); i++) {
      details.add("fence device %d".formatted(i + 1), of(host.getFenceDevices(i)));
    }
    if (host.hasFence()) {
      FenceAttempt last = host.getFence();
      details.add("fencing", "%s, %s: %s".formatted(palette.paint(last.getState().toString()),
          Times.text(last.getAt().getSeconds() * 1000), Output.oneLine(last.getText())));
    }
  }

  private static String of(FenceDevice device) {
    StringBuilder text = new StringBuilder(device.getAgent());
    for (Map.Entry<String, String> each : new TreeMap<>(device.getOptionsMap()).entrySet()) {
      text.append(' ').append(each.getKey()).append('=').append(Output.oneLine(each.getValue()));
    }
    for (Map.Entry<String, String> each : new TreeMap<>(device.getOptionFilesMap()).entrySet()) {
      text.append(' ').append(each.getKey()).append(" from ").append(Output.oneLine(each.getValue()));
    }
    return text.toString();
  }
}
