package dev.pageferry.agent.ownership;

import dev.pageferry.agent.ownership.OwnershipClient.Decision;
import dev.pageferry.agent.ownership.OwnershipClient.DeniedException;
import dev.pageferry.agent.ownership.OwnershipClient.NoAnswerException;
import dev.pageferry.agent.ownership.OwnershipClient.Outcome;
import dev.pageferry.agent.ownership.Ruling.NotOurs;
import dev.pageferry.agent.ownership.Ruling.NotOurs.Why;
import dev.pageferry.agent.ownership.Ruling.Ours;
import dev.pageferry.common.concurrent.Backoff;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * The one conversation of this host with the row of one VM about one operation. From the first question that can give the
 * guest away on this host is in doubt: it asks until there is a ruling, however long that takes, because nobody may guess.
 * Each question is one bounded attempt; whatever goes wrong with one, the row may have decided. Owned by one task.
 */
public final class OwnershipDialogue {
  /** From which end of the operation this host looks at it. */
  private enum Side {
    /** It has the guest, and is to give it away: to another host, or to a file. */
    SOURCE,
    SAVER,
    /** It is to have the guest. */
    DESTINATION,
    /** It builds the guest. */
    BUILDER,
    /** It has found the guest, which the agent before it left running. */
    HEIR
  }

  /**
   * What a dialogue reaches the world through.
   *
   * @param open where it is while it waits
   */
  public record Line(OwnershipClient client, Scheduler scheduler, RandomGenerator random, OpenDialogues open) {
    /** For those of whose dialogues nobody else needs to know. */
    public Line(OwnershipClient client, Scheduler scheduler, RandomGenerator random) {
      this(client, scheduler, random, new OpenDialogues());
    }

    /** How long to wait between the attempts of a move, a restore or a question. */
    public Backoff backoff() {
      return Backoff.withinCluster(random);
    }

    /** For a dialogue that is about no guest of this host: the coordinator's word of guests is none about that. */
    public Line apart() {
      return new Line(client, scheduler, random);
    }
  }

  /** Hears what was asked and answered. */
  public interface Listener {
    /** No ruling yet. Called after every attempt that brought none. */
    void waits(Ruling.Unsettled ruling);

    void ruled(Ruling.Final ruling);
  }

  private static final MigrationId NO_OPERATION = new MigrationId("none");
  private static final OwnershipEpoch EARLIEST = new OwnershipEpoch(1);

  private final Line line;
  private final Side side;
  private final VmId vm;
  private final MigrationId operation;
  /** Under which this host has the guest, or would. */
  private final OwnershipEpoch mine;
  private final Listener listener;
  private volatile boolean asked;
  /** The latest epoch that an answer had. */
  private long newest;
  private final LastWord lastWord;
  /** What it waits for; null: nothing unusual. */
  private volatile @Nullable String waitsFor;

  private OwnershipDialogue(Line line, Side side, VmId vm, MigrationId operation, OwnershipEpoch mine,
      Listener listener) {
    this.line = line;
    this.side = side;
    this.vm = vm;
    this.operation = operation;
    this.mine = mine;
    this.listener = listener;
    this.lastWord = new LastWord(line.scheduler());
  }

  /** @param epoch under which this host has the guest that another host is to have */
  public static OwnershipDialogue ofSource(Line line, VmId vm, MigrationId operation, OwnershipEpoch epoch,
      Listener listener) {
    return new OwnershipDialogue(line, Side.SOURCE, vm, operation, epoch, listener);
  }

  /** @param epoch under which this host has the guest that is to be in a file */
  public static OwnershipDialogue ofSaver(Line line, VmId vm, MigrationId operation, OwnershipEpoch epoch,
      Listener listener) {
    return new OwnershipDialogue(line, Side.SAVER, vm, operation, epoch, listener);
  }

  /** @param epoch under which this host will have the guest, if it is committed */
  public static OwnershipDialogue ofDestination(Line line, VmId vm, MigrationId operation, OwnershipEpoch epoch,
      Listener listener) {
    return new OwnershipDialogue(line, Side.DESTINATION, vm, operation, epoch, listener);
  }

  /** @param epoch under which this host was told to build the guest */
  public static OwnershipDialogue ofBuilder(Line line, VmId vm, OwnershipEpoch epoch, Listener listener) {
    return new OwnershipDialogue(line, Side.BUILDER, vm, NO_OPERATION, epoch, listener);
  }

  /**
   * For a guest that was found: under which epoch this host has it, or not, the answer says.
   *
   * @param epoch under which this host had it last; 0 if that is not known
   */
  public static OwnershipDialogue ofHeir(Line line, VmId vm, long epoch, Listener listener) {
    return new OwnershipDialogue(line, Side.HEIR, vm, NO_OPERATION, epoch > 0 ? new OwnershipEpoch(epoch) : EARLIEST,
        listener);
  }

  /** What the coordinator says of the VM, unasked: it ends a doubt about an operation that its records do not know. Any thread. */
  public void overrule(CoordinatorsWord said) {
    lastWord.hear(said);
  }

  /** What the coordinator has said of the VM, unasked. */
  public LastWord lastWord() {
    return lastWord;
  }

  VmId vm() {
    return vm;
  }

  /** Empty: it waits for nothing, or for no longer than a question and its answer take. Any thread. */
  Optional<OpenDialogues.Doubt> doubt() {
    // Of a guest that was found it is not known under which epoch it would be this host's.
    return Optional.ofNullable(waitsFor).filter(_ -> side != Side.HEIR)
        .map(reason -> new OpenDialogues.Doubt(vm, operation, mine, reason));
  }

  /** The guest is this host's and cannot run here yet, of which operators hear as of a doubt until {@link #ends()}. */
  public void cannotRun(String reason) {
    waitsFor = "it is this host's, and cannot run here: " + reason;
    listens();
  }

  /**
   * From now on it hears the coordinator's word, ahead of its first question: an order is given once, and may come while
   * there is still much to do before that.
   */
  public void listens() {
    line.open().add(this);
  }

  /** It hears nothing more, and is no doubt: the guest runs here, or is gone. A ruling ends it as well. */
  public void ends() {
    line.open().remove(this);
    waitsFor = null;
  }

  private interface Question {
    Decision ask() throws NoAnswerException, InterruptedException;
  }

  /**
   * Leave to run for a guest that this host has had all along.
   *
   * @throws IllegalStateException if the row may have given it away: then only a ruling says
   */
  public LeaveToRun neverAsked() {
    if (asked || (side != Side.SOURCE && side != Side.SAVER)) {
      throw new IllegalStateException("VM %s may not be this host's any more".formatted(vm));
    }
    return new LeaveToRun.NeverAsked(mine);
  }

  /** Whether the row may have given the guest away. */
  public boolean wasAsked() {
    return asked;
  }

  /**
   * Asks for the commit; once that would throw a perfect copy away, only for the decision.
   *
   * @param mayCommit whether there is still somebody who could run the guest
   */
  public Ruling.Final commit(BooleanSupplier mayCommit) throws InterruptedException {
    asked = true;
    return await(() -> mayCommit.getAsBoolean()
        ? line.client().commit(vm, operation)
        : line.client().resolve(vm, operation));
  }

  /** Asks for the abort, unless it was committed. */
  public Ruling.Final abortUnlessCommitted() throws InterruptedException {
    asked = true;
    return await(this::resolve);
  }

  private Decision resolve() throws NoAnswerException, InterruptedException {
    return side == Side.DESTINATION
        ? line.client().resolveAtDestination(vm, operation)
        : line.client().resolve(vm, operation);
  }

  /** Asks once what was decided, and aborts if nothing was. What is unsettled then is to be asked again. */
  public Ruling askOnce() throws InterruptedException {
    asked = true;
    listens();
    boolean goesOn = false;
    try {
      Ruling ruling = once(this::resolve);
      if (ruling instanceof Ruling.Unsettled unsettled) {
        waits(unsettled);
        goesOn = true;
      }
      return ruling;
    } finally {
      if (!goesOn) {
        ends();
      }
    }
  }

  /**
   * Makes known that the guest's state is whole in its file.
   *
   * @return empty: it is known, and nothing is decided yet
   */
  public Optional<Ruling.Final> noteSaved() throws InterruptedException {
    asked = true;
    Ruling answer = await(() -> line.client().noteSaved(vm, operation), Ruling.Pending.class);
    return answer instanceof Ruling.Final end ? Optional.of(end) : Optional.empty();
  }

  /**
   * For a destination that has not let the guest run: it goes back to its source, if that lives.
   *
   * @return {@link Ours} if it stays here, because nobody else could run it
   */
  public Ruling.Final giveBack() throws InterruptedException {
    return await(() -> line.client().giveBack(vm, operation));
  }

  /** Asks whether a guest that was built here, or was to be given back, may do its first step. */
  public Ruling.Final started() throws InterruptedException {
    asked = true;
    return await(() -> line.client().started(vm, mine));
  }

  /** Asks whether a guest that was found running is this host's. @param before incarnations of it that have had the guest */
  public Ruling.Final takeOver(List<Incarnation> before) throws InterruptedException {
    asked = true;
    return await(() -> line.client().takeOver(vm, before));
  }

  /**
   * The source has said that the row committed the guest to this host. It is as good as the row's own word: a source says so
   * only when it has heard it.
   *
   * @param epoch that it names
   * @return empty if that is not the epoch under which this host would have the guest
   */
  public Optional<Ours> relayed(long epoch) {
    return side == Side.DESTINATION && epoch == mine.value() ? Optional.of(new Ours(mine)) : Optional.empty();
  }

  private Ruling.Final await(Question question) throws InterruptedException {
    return (Ruling.Final) await(question, Ruling.Final.class);
  }

  /** @param enough an answer of this kind ends the waiting as a final one does */
  private Ruling await(Question question, Class<? extends Ruling> enough) throws InterruptedException {
    Backoff backoff = line.backoff();
    listens();
    try {
      while (true) {
        Ruling ruling = once(question);
        if (ruling instanceof Ruling.Final end) {
          ends();
          listener.ruled(end);
          return end;
        }
        if (enough.isInstance(ruling)) {
          return ruling;
        }
        if (ruling instanceof Ruling.Unsettled unsettled) {
          waits(unsettled);
        }
        line.scheduler().sleep(backoff.next());
      }
    } finally {
      ends();
    }
  }

  private void waits(Ruling.Unsettled unsettled) {
    waitsFor = unsettled.reason();
    listener.waits(unsettled);
  }

  /** One attempt. Without an answer nothing is known. */
  private Ruling once(Question question) throws InterruptedException {
    Ruling ruling;
    try {
      ruling = meaning(question.ask());
    } catch (DeniedException e) {
      ruling = new Ruling.Denied("the coordinator denies this host an answer: " + e.getMessage());
    } catch (NoAnswerException | RuntimeException | Error e) {
      ruling = new Ruling.NoAnswer(String.valueOf(e.getMessage()));
    }
    if (ruling instanceof Ruling.RecordsUnknown) {
      // They do not know of the operation, and never will; what they say of the VM holds.
      Optional<CoordinatorsWord> said = lastWord.against(mine);
      return said.isPresent() ? said.get().ruling() : ruling;
    }
    return ruling;
  }

  /** Epochs only grow: an answer under one from before what is known comes from records that are older than that. */
  private Ruling meaning(Decision answer) {
    boolean fromThePast = answer.outcome() != Outcome.DELETED && answer.epoch() < Math.max(known(), newest);
    if (answer.outcome() == Outcome.UNKNOWN || fromThePast) {
      return new Ruling.RecordsUnknown();
    }
    newest = Math.max(newest, answer.epoch());
    return switch (answer.outcome()) {
      case PENDING -> new Ruling.Pending();
      case DELETED -> notOurs(Why.DELETED, answer);
      case COMMITTED -> committed(answer);
      case ABORTED -> (side == Side.SOURCE || side == Side.SAVER) && answer.epoch() == mine.value()
          ? new Ours(mine)
          : notOurs(Why.ABORTED, answer);
      // Under the later epoch that it has since.
      case TAKEN_BACK -> side == Side.SOURCE
          ? new Ours(new OwnershipEpoch(answer.epoch()))
          : notOurs(Why.TAKEN_BACK,
              answer);
      case UNKNOWN -> new Ruling.RecordsUnknown();
    };
  }

  private Ruling committed(Decision answer) {
    return switch (side) {
      case SOURCE -> answer.epoch() > mine.value() ? notOurs(Why.COMMITTED, answer) : new Ruling.RecordsUnknown();
      case SAVER -> notOurs(Why.SAVED, answer);
      case HEIR -> new Ours(new OwnershipEpoch(answer.epoch()));
      case DESTINATION, BUILDER ->
        answer.epoch() == mine.value() ? new Ours(mine) : notOurs(Why.COMMITTED, answer);
    };
  }

  /** The earliest epoch that the row can have by now: before a commit the destination's is the one before its own. */
  private long known() {
    return side == Side.DESTINATION ? mine.value() - 1 : mine.value();
  }

  private static NotOurs notOurs(Why why, Decision answer) {
    return new NotOurs(why, answer.ownerHost(), answer.epoch());
  }
}
