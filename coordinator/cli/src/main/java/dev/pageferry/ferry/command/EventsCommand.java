package dev.pageferry.ferry.command;

import dev.pageferry.common.concurrent.Backoff;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.Output;
import dev.pageferry.ferry.view.Table;
import dev.pageferry.ferry.view.Times;
import dev.pageferry.proto.cluster.v1.Event;
import dev.pageferry.proto.cluster.v1.EventsGrpc;
import dev.pageferry.proto.cluster.v1.ListEventsRequest;
import dev.pageferry.proto.cluster.v1.ListEventsResponse;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ferry events}. */
@Command(name = "events", sortOptions = false,
    description = "What happened in the cluster, a line for each event, oldest first.",
    footer = {"",
        "The coordinator keeps the newest 10,000. With --follow it goes on with what happens until you end it, also when the",
        "coordinator goes away and comes back."})
public final class EventsCommand implements Callable<Integer> {
  private static final Duration WAIT = Duration.ofSeconds(20);
  private static final Duration FIRST_PAUSE = Duration.ofMillis(200);
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(5);

  private final Session.Opener ferry;

  @Parameters(paramLabel = "NAME", arity = "0..1", defaultValue = "",
      description = "Events of this host or VM (default: all).")
  private String about = "";

  @Option(names = "--limit", paramLabel = "N", converter = Converters.Count.class, defaultValue = "100",
      description = "The newest N (default 100).")
  private int limit;

  @Option(names = "--follow", description = "Goes on with what happens.")
  private boolean follow;

  public EventsCommand(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    return ferry.inSession(session -> {
      ListEventsResponse newest = ask(session, request().setLimit(limit).build());
      if (!follow) {
        session.output().rows(newest, table(newest.getEventsList()));
        return ExitCode.DONE;
      }
      newest.getEventsList().forEach(each -> line(session, each));
      return follow(session, newest.getLast());
    });
  }

  private ListEventsRequest.Builder request() {
    return ListEventsRequest.newBuilder().setAbout(about);
  }

  private static ListEventsResponse ask(Session session, ListEventsRequest request) {
    return session.connection().patiently(stub -> EventsGrpc.newBlockingStub(stub.getChannel()).listEvents(request));
  }

  private int follow(Session session, long after) {
    Backoff backoff = new Backoff(FIRST_PAUSE, LONGEST_PAUSE, new Random());
    long last = after;
    boolean isGone = false;
    while (true) {
      try {
        ListEventsResponse next = ask(session, request().setAfter(last).setWaitMillis(WAIT.toMillis()).build());
        next.getEventsList().forEach(each -> line(session, each));
        last = next.getLast();
        isGone = false;
        backoff.reset();
      } catch (Failure e) {
        if (e.exitCode() != ExitCode.UNREACHABLE) {
          throw e;
        }
        if (!isGone) {
          isGone = true;
          session.output().message("lost the coordinator at %s; trying to reach it"
              .formatted(session.connection().coordinator()));
        }
        pause(session, backoff.next());
        session.connection().reconnect();
      }
    }
  }

  private static void pause(Session session, Duration time) {
    try {
      session.surroundings().pause().sleep(time);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Failure(ExitCode.UNREACHABLE, "interrupted", e);
    }
  }

  private static void line(Session session, Event event) {
    if (session.output().isForPeople()) {
      session.output().document(event, _ -> "%s  %s%n".formatted(time(event), Output.oneLine(event.getText())));
    } else {
      session.output().documentLine(event);
    }
  }

  private static String time(Event event) {
    return Times.text(event.getAt().getSeconds() * 1000);
  }

  private static Table table(List<Event> events) {
    Table table = new Table(List.of("TIME", "EVENT"), List.of("KIND", "HOST", "VM", "MIGRATION", "PLAN"));
    for (Event each : events) {
      table.row(time(each), Output.oneLine(each.getText()), each.getKind(), each.getHost(), each.getVm(),
          each.getMigrationId(), each.getPlanId());
    }
    return table;
  }
}
