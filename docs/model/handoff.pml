/*
 * The handoff of a VM between two hosts, as the code has it: begin, READY, commit, abort, GO, give-back, and the boot of a VM whose
 * host is gone, with lost, late and repeated messages, and with hosts that crash, freeze or end for good. README.md says what is
 * modelled and what is not, which class each part stands for, and how to run it: scripts/model.
 *
 * Two hosts, A and B, and one VM, which is A's at first. One of three kinds of VM is chosen when the model is translated:
 *
 *   (nothing)   no disks, ha: auto   a VM is booted elsewhere only once its host says that it ended (rung 1 of the ladder)
 *   HA          no disks, ha: on     also once the host's membership lease was waited out (rung 3)
 *   DISKS       on shared storage    also once the disk's lock is free and the host's storage lease was waited out (rung 2)
 *
 * How it is written:
 *
 * - Whatever a party does at once is one step (d_step). Between two steps any other party may do any number of its own. So each party may
 *   be frozen for any time, anywhere, and may crash anywhere.
 * - A question to the coordinator is never taken back once it was sent. The coordinator may act on it at any later time, and more than
 *   once, also when whoever asked has its answer by then, or is dead: so requests are late and repeated. An answer waits in a slot until it
 *   is read, and a newer one may take its place: so answers are late, or lost and asked for again.
 * - No run is endless: migrations, crashes, boots and ticks of the clock are counted out, and no step changes nothing. Each run comes to a
 *   state in which nobody can do anything more. There the VM runs, or the row says why not (process End). That is progress; it assumes
 *   nothing but that whoever can do something does it in the end. That no run is endless is a check of its own (-DNP).
 * - What the coordinator has written is never lost, and it decides in one step: its restart is a freeze of it.
 *
 * Names that begin with BUG_ plant an error that must be found, those that begin with AS_BEFORE_ put back what the code did before
 * the model had found it (README.md, "What it found"), and those that begin with REACH_ show that a state is reached at all.
 */

#define A 0
#define B 1
#define NOBODY 2
#define OTHER(h) (1 - (h))

/* Budgets: how much of each may happen in one run. */
#ifndef MOVES
#define MOVES 1      /* migrations that are begun */
#endif
#ifndef CRASHES
#define CRASHES 1    /* of agents; each comes back as a new incarnation, or is off for good */
#endif
#ifndef BOOTS
#define BOOTS 1      /* of a VM that is down, by failover or by an operator */
#endif
#ifndef FAILURES
#define FAILURES 1   /* of a destination to open disks or to activate */
#endif
#ifndef TICKS
#define TICKS 1      /* of the clock, beside those that somebody has to wait for */
#endif

#if defined(HA) || defined(DISKS)
#define LEASES
/*
 * A tick of the clock is as long as a lease lasts. So a permission ends with the first tick after its renewal was sent, and a lease
 * was waited out with the first tick after a renewal was seen last: no sooner, and no later, which is the worst that can be.
 */
#endif

mtype = { ACTIVE, MOVING, CREATING, STOPPED };         /* a row: VmOwnership */
mtype = { PENDING, COMMITTED, ABORTED, TAKEN_BACK };   /* a decision: MigrationRecord, and an answer: Decision */
mtype = {
  NONE,      /* no copy on this host */
  RUNS,      /* let run here; it has effects while it is permitted. With a move: pre-copy */
  PAUSED,    /* source: paused, last pages and state are being sent */
  HELD,      /* source: READY is here, disks are released, the commit was not asked for */
  ASKS,      /* source in doubt: asks for the commit, or for the decision */
  KEPT,      /* source: committed, the paused copy is kept until the VM is known to run, or to be this host's again */
  PUT_BACK,  /* source: has leave to run on, and opens its disks again */
  COMES,     /* destination: being received */
  READY,     /* destination in doubt: READY was said */
  INQUIRES,  /* destination in doubt: asks the row */
  OWNED,     /* destination: committed to this host, has not run */
  GIVES,     /* destination: asks for the give-back */
  KEEPS,     /* destination: asked for it before, and asks the row once more before the first step: OwnershipClient.started */
  TAKES,     /* builder: takes the disks of whoever had them before */
  BUILT      /* builder: asks whether the VM may do its first step */
};
mtype = { NOTHING, COMMIT, RESOLVE, GIVE_BACK, KEEP, STARTED };  /* a question: OwnershipClient */

/* What the coordinator has written. */
mtype rowState = ACTIVE;
byte rowHost = A;
byte rowIncarnation = 1;
byte rowEpoch = 1;
byte rowMove;                  /* the pending migration, from 1 */
mtype decision[MOVES + 1];     /* of each migration */
byte decidedEpoch[MOVES + 1];
byte sourceHost[MOVES + 1];
byte sourceIncarnation[MOVES + 1];
byte destinationIncarnation[MOVES + 1];
bool kept[MOVES + 1];          /* the destination is about to run it, no give-back any more; the code has no such word */

/* What it only remembers, from heartbeats and of a boot that it is at. */
byte reportedEpoch;            /* the latest under which an owner has said that it has the VM */
#if defined(AS_BEFORE_BOOT) || defined(BUG_LOOKS_ONCE)
bool looking;                  /* the VM was down when the row was read */
byte lookedEpoch;
#endif

/* The hosts. */
byte incarnation[2] = { 1, 1 };
bool up[2] = { true, true };
bool off[2];                   /* for good */
mtype copy[2] = { RUNS, NONE };
byte epoch[2] = { 1, 0 };      /* under which the copy is here, or would be */
byte move[2];                  /* that it is in, from 1 */
mtype question[2] = { NOTHING, NOTHING };
mtype answer[2] = { NOTHING, NOTHING };
byte answerEpoch[2];
byte word[2];                  /* LastWord: the latest epoch that the coordinator has called over */
bool released[2];              /* awaitFate: the epoch was over before it asked */
bool gaveBack[2];              /* it has asked for a give-back, and the VM stayed */

/* Questions and orders that were sent, and may be acted upon at any time from then on. */
bool commitSent[MOVES + 1];
bool giveBackSent[MOVES + 1];
byte startedSent[2];           /* the epoch; 0: none */
byte startedBy[2];             /* the incarnation */
byte createSent[2];            /* the order to build the VM under that epoch */
bool startSent[MOVES + 1];     /* the order to move it away */

/* The link of each migration, which breaks once, and what was sent over it and not read yet. */
bool link[MOVES + 1];
bool ready[MOVES + 1];
byte go[MOVES + 1];
bool running[MOVES + 1];

#ifdef LEASES
/* HA: the membership lease, renewed by heartbeats. DISKS: the storage lease, renewed by writes of a file. */
bool permitted[2] = { true, true };
bool silent[2];                /* waited out: no renewal was seen since a tick */
byte renewal[2];               /* 0: none, 1: others have seen it, 2 (DISKS): marks were read since; then it permits */
byte ticks = TICKS;
#endif
#ifdef HA
byte bar[2];                   /* what is here under an earlier epoch is not permitted */
byte renewalBar[2];
#endif
#ifdef DISKS
byte lock = A;                 /* who has the disk's lock */
byte diskHost = A;             /* the disk's lease */
bool diskHeld = true;
byte diskEpoch = 1;
bool hasEnded;                 /* the incarnation that holds it, as a newer one's lease says */
byte mark;                     /* the epoch of the fence mark; 0: none */
bool open[2] = { true, false };
bool watching[2];              /* a builder waits for the lease of the host before */
bool hasWaited[2];             /* for long enough */
bool sawRenewal[2];
#endif

byte moves = MOVES;
byte crashes = CRASHES;
byte boots = BOOTS;
byte failures = FAILURES;

/* What an all-knowing onlooker knows. */
byte newestEffect = 1;         /* the latest epoch under which the VM has had effects */
byte newestRow = 1;
bool hasRun[MOVES + 1];        /* the destination let it do a step */
bool wasCommitted[MOVES + 1];
bool wasAborted[MOVES + 1];

/* ---- who may have effects ---- */

#ifdef HA
#ifdef BUG_LEASE_NOT_CHECKED
#define PERMITTED(h) (epoch[h] >= bar[h])
#else
#define PERMITTED(h) (permitted[h] && epoch[h] >= bar[h])
#endif
#define MAY_ACTIVATE(h) PERMITTED(h)
#else
#ifdef DISKS
#ifdef BUG_LEASE_NOT_CHECKED
#define PERMITTED(h) (open[h])
#else
#define PERMITTED(h) (permitted[h] && open[h])
#endif
#define MAY_ACTIVATE(h) true
#else
#define PERMITTED(h) true
#define MAY_ACTIVATE(h) true
#endif
#endif
#define HAS_EFFECTS(h) (copy[h] == RUNS && PERMITTED(h))

/* ---- what the row answers: Transitions.answer ---- */

#define IS_TAKEN_BACK(m) (decision[m] == TAKEN_BACK && rowEpoch == decidedEpoch[m] && rowState != STOPPED)
#define OUTCOME(m) (decision[m] != TAKEN_BACK -> decision[m] : (IS_TAKEN_BACK(m) -> TAKEN_BACK : ABORTED))
#define EPOCH_NOW (rowState == STOPPED -> rowEpoch + 1 : rowEpoch)
#define IS_NEWS(h, outcome) (answer[h] != (outcome) || answerEpoch[h] != EPOCH_NOW)
/* The migration was committed, the row is as that left it, and its source lives: it may go back. */
#define CAN_GO_BACK(m) (decision[m] == COMMITTED && rowState == ACTIVE && rowEpoch == decidedEpoch[m] && !kept[m] \
  && incarnation[sourceHost[m]] == sourceIncarnation[m])
#define IS_STARTERS(h) (rowHost == (h) && rowIncarnation == startedBy[h] && rowEpoch == startedSent[h])

/* ---- what is said in a trace ---- */

#define SAY(h, text) printf("host %c, epoch %d: ", 65 + (h), epoch[h]); printf(text); printf("\n")
#define SAYS(text) printf("row %e, host %c, incarnation %d, epoch %d: ", rowState, 65 + rowHost, rowIncarnation, rowEpoch); printf(text); \
  printf("\n")

/* ---- steps that more than one place takes ---- */

/* Every change of a row comes by here. */
inline changed() {
  assert(rowEpoch >= newestRow);  /* invariant: the epoch of a row never goes back */
  newestRow = rowEpoch;
}

#define IS_ARRIVING(h) (copy[h] == READY || copy[h] == INQUIRES || copy[h] == OWNED || copy[h] == GIVES || copy[h] == KEEPS)

inline leave(h) {
  question[h] = NOTHING;
  answer[h] = NOTHING;
  answerEpoch[h] = 0;
}

inline ask(h, what) {
  question[h] = what;
  answer[h] = NOTHING;
  answerEpoch[h] = 0;
}

/* Closes the disks, and says so beside them where they are still this host's. */
inline release(h) {
#ifdef DISKS
  if
  :: open[h] && diskHost == h && diskHeld -> diskHeld = false
  :: else
  fi;
  open[h] = false;
  if
  :: lock == h -> lock = NOBODY
  :: else
  fi;
  watching[h] = false;
  hasWaited[h] = false;
  sawRenewal[h] = false
#else
  skip
#endif
}

inline forget(h) {
  epoch[h] = 0;
  if
  :: IS_ARRIVING(h) -> go[move[h]] = 0; ready[move[h]] = false
  :: copy[h] == KEPT -> running[move[h]] = false
  :: else
  fi;
  move[h] = 0;
  copy[h] = NONE;
  word[h] = 0;
#ifdef HA
  bar[h] = 0;
#endif
  released[h] = false;
  gaveBack[h] = false;
  leave(h)
}

/* The row says that this very copy is the VM: a copy that came by a migration is so only once that was committed. */
#define IS_THE_VM(h) (rowHost == h && rowIncarnation == incarnation[h] && rowEpoch == epoch[h] && rowState != STOPPED && \
  (!IS_ARRIVING(h) || decision[move[h]] == COMMITTED))

/* Destroys the copy of a host that lives, by a ruling. */
inline destroy(h) {
  assert(!IS_THE_VM(h));  /* invariant: the copy that the row names is not destroyed */
  assert(!(copy[h] == KEPT && IS_TAKEN_BACK(move[h])));  /* invariant: the copy that the row names is not destroyed */
  /* Of a VM that was committed another copy was let run, or the row has it stopped or booted anew. */
  assert(copy[h] != KEPT || running[move[h]] || reportedEpoch > epoch[h] || rowState == STOPPED || rowEpoch > decidedEpoch[move[h]]);  /* invariant: a paused copy is destroyed only when another is known */
  release(h);
  forget(h)
}

/* The guest is among those that the host's heartbeats name from now on; what follows from that may follow at any later time. */
inline reports(h) {
  reportedEpoch = (rowHost == h && epoch[h] > reportedEpoch -> epoch[h] : reportedEpoch)
}

inline letRun(h) {
  copy[h] = RUNS;
  reports(h);
  leave(h);
  gaveBack[h] = false
}

#ifdef DISKS
/*
 * DiskLease.take. The lock must come free. A lease that another host holds is marked, and then the lease of that host is waited out.
 * It is not to be had if that host is seen to renew its lease, if a later epoch had it or has marked it, or if the lease is not as it was
 * found.
 */
#define WANTS_DISKS(h) ((copy[h] == PUT_BACK || copy[h] == OWNED || copy[h] == TAKES) && !open[h])
#define CANNOT_OPEN(h) (WANTS_DISKS(h) && (diskEpoch > epoch[h] || mark > epoch[h] || \
  (watching[h] && (sawRenewal[h] || !diskHeld || diskHost == h))))

inline opens(h) {
  diskHost = h;
  diskHeld = true;
  diskEpoch = epoch[h];
  hasEnded = false;
  mark = 0;
  open[h] = true;
  watching[h] = false;
  hasWaited[h] = false
}

inline noDisks(h) {
  watching[h] = false;
  hasWaited[h] = false;
  sawRenewal[h] = false;
  if
  :: lock == h -> lock = NOBODY
  :: else
  fi
}
#endif

#ifdef DISKS
#define HAS_DISKS(h) open[h]
#else
#define HAS_DISKS(h) true
#endif

/* ---- the coordinator: OwnershipLedger, Transitions, MigrationSupervisor, MachineStarts, StaleCopies ---- */

/* Without effect from now on: nothing but the number of states needs that. */
inline forgetCommit(m) {
#ifdef BUG_COMMIT_AND_ABORT_WIN
  skip
#else
  commitSent[m] = false
#endif
}

inline abortPending(m) {
  assert(!wasCommitted[m]);  /* invariant: commit and abort do not both win */
  wasAborted[m] = true;
  decision[m] = ABORTED;
  rowMove = 0;
  forgetCommit(m)
}

inline commitTo(m, h) {
  assert(!wasAborted[m]);  /* invariant: commit and abort do not both win */
  wasCommitted[m] = true;
  decision[m] = COMMITTED;
  rowState = ACTIVE;
  rowMove = 0;
  rowHost = h;
  rowIncarnation = destinationIncarnation[m];
  rowEpoch++;
  decidedEpoch[m] = rowEpoch;
  changed();
  forgetCommit(m)
}

/* Whether the ladder says that the row's owner can have no effects any more. */
#define IS_OVER (incarnation[rowHost] != rowIncarnation)
#ifdef HA
#define WAS_WAITED_OUT (silent[rowHost])
#else
#ifdef DISKS
#define WAS_WAITED_OUT (silent[rowHost] && lock == NOBODY)
#else
#define WAS_WAITED_OUT false
#endif
#endif
#define IS_DOWN (rowState == STOPPED || (rowState == ACTIVE && (IS_OVER || WAS_WAITED_OUT)))
#if defined(AS_BEFORE_BOOT)
/* The row is read, then it is made sure that the VM is down, then the row is changed, whatever it has become meanwhile. */
#define IN_TWO_STEPS
#define MAY_BOOT (rowState == ACTIVE || rowState == STOPPED)
#else
#if defined(BUG_LOOKS_ONCE)
/* Its owner's silence was seen before, and is not looked at again. */
#define IN_TWO_STEPS
#define MAY_BOOT ((rowState == ACTIVE || rowState == STOPPED) && rowEpoch == lookedEpoch)
#else
/* That the VM is down is still so when the row changes. */
#define MAY_BOOT (boots > 0 && IS_DOWN)
#endif
#endif

/* Without effect from now on, as above. */
inline forgetGiveBacks() {
  giveBackSent[1] = false;
  kept[1] = false;
#if MOVES > 1
  giveBackSent[2] = false;
  kept[2] = false
#endif
}

inline boot(h) {
#ifdef IN_TWO_STEPS
  looking = false;
  lookedEpoch = 0;
#endif
  boots--;
  rowState = CREATING;
  rowHost = h;
  rowIncarnation = incarnation[h];
  rowEpoch++;
  changed();
  forgetGiveBacks();
  createSent[h] = rowEpoch;
  SAYS("the VM is to be built there")
}

#ifdef BUG_COMMIT_AND_ABORT_WIN
#define IS_OPEN(m) (decision[m] == PENDING || decision[m] == ABORTED)
#else
#define IS_OPEN(m) (decision[m] == PENDING && rowMove == m)
#endif

/* Steps about one migration. */
inline rowOfMove(m) {
  if
  /* Begin: the next migration becomes the pending one. */
  :: d_step {
       moves == MOVES - m + 1 && rowState == ACTIVE && incarnation[rowHost] == rowIncarnation && up[OTHER(rowHost)] ->
       moves--;
       rowState = MOVING;
       rowMove = m;
       decision[m] = PENDING;
       sourceHost[m] = rowHost;
       sourceIncarnation[m] = rowIncarnation;
       destinationIncarnation[m] = incarnation[OTHER(rowHost)];
       startSent[m] = true;
       SAYS("begins to move the VM away")
     }
  /* Commit: asked, pending, and the destination is in the incarnation that the migration began with. */
  :: d_step {
       commitSent[m] && IS_OPEN(m) && incarnation[OTHER(sourceHost[m])] == destinationIncarnation[m] ->
       commitTo(m, OTHER(sourceHost[m]));
       SAYS("the migration is committed")
     }
  /* Abort: Resolve by either host, Commit where the destination counts as lost, or the supervisor, which has lost the source. */
  :: d_step {
       rowState == MOVING && rowMove == m ->
       abortPending(m);
       rowState = ACTIVE;
       SAYS("the migration is aborted")
     }
  /* Give-back. That a source counts as lost, though it lives, is that this is not done now. */
  :: d_step {
       giveBackSent[m] && CAN_GO_BACK(m) ->
       SAYS("the request to give it back is acted upon, and the migration is taken back");
       assert(!hasRun[m]);  /* invariant: a commit is undone only before the first step */
       decision[m] = TAKEN_BACK;
       rowHost = sourceHost[m];
       rowIncarnation = sourceIncarnation[m];
       rowEpoch++;
       decidedEpoch[m] = rowEpoch;
       changed();
       giveBackSent[m] = false
     }
  fi
}

/* Steps about one host. */
inline rowOfHost(h) {
  if
  /* Answers to whoever still waits for one. What is pending is answered once it is decided. */
  :: d_step {
       (question[h] == COMMIT || question[h] == RESOLVE || question[h] == GIVE_BACK) && decision[move[h]] != PENDING &&
         IS_NEWS(h, OUTCOME(move[h])) ->
       answer[h] = OUTCOME(move[h]);
       answerEpoch[h] = EPOCH_NOW
     }
  /* The destination says that it is about to run what it would have given back. */
  :: d_step {
       question[h] == KEEP && IS_NEWS(h, OUTCOME(move[h])) ->
       if
       :: decision[move[h]] == COMMITTED -> kept[move[h]] = true
       :: else
       fi;
       answer[h] = OUTCOME(move[h]);
       answerEpoch[h] = EPOCH_NOW
     }
  :: d_step {
       startedSent[h] != 0 && rowState == CREATING && IS_STARTERS(h) ->
       rowState = ACTIVE;
       SAYS("the VM may do its first step")
     }
  :: d_step {
       question[h] == STARTED && !(rowState == CREATING && IS_STARTERS(h)) &&
         IS_NEWS(h, (rowState != STOPPED && IS_STARTERS(h) -> COMMITTED : ABORTED)) ->
       answer[h] = (rowState != STOPPED && IS_STARTERS(h) -> COMMITTED : ABORTED);
       answerEpoch[h] = EPOCH_NOW
     }
  /* The answer to a heartbeat calls a copy stale: StaleCopies.judge. */
  :: d_step {
       up[h] && word[h] < epoch[h] &&
         copy[h] != NONE && copy[h] != COMES && copy[h] != READY && copy[h] != INQUIRES && copy[h] != OWNED &&
         copy[h] != GIVES && copy[h] != KEEPS &&
         (epoch[h] < rowEpoch || (epoch[h] == rowEpoch && rowState == STOPPED)) &&
         (rowHost == h || rowState == STOPPED || reportedEpoch >= rowEpoch) ->
       word[h] = epoch[h];
       SAY(h, "is told that this epoch is over")
     }
  /* The VM is to be built here. */
  :: d_step {
#ifdef IN_TWO_STEPS
       looking &&
#endif
       MAY_BOOT && up[h] ->
       boot(h)
     }
  fi
}

proctype Coordinator() {
end:
  do
  :: rowOfMove(1)
#if MOVES > 1
  :: rowOfMove(2)
#endif
  :: rowOfHost(A)
  :: rowOfHost(B)
#ifdef IN_TWO_STEPS
  :: d_step { boots > 0 && !looking && IS_DOWN -> looking = true; lookedEpoch = rowEpoch; SAYS("the VM is down, and is to be booted") }
  :: d_step { looking && !MAY_BOOT -> looking = false; lookedEpoch = 0 }
#endif
  /* The order to build it failed, or its answer did not come. */
  :: d_step {
       rowState == CREATING ->
       rowState = STOPPED;
       startedSent[rowHost] = 0;
       startedBy[rowHost] = 0;
       SAYS("the VM could not be built")
     }
#ifdef BUG_RECORDS_GO_BACK
  /* A coordinator that was started on a copy of its records from before the commit. */
  :: d_step {
       wasCommitted[1] && decision[1] == COMMITTED ->
       decision[1] = PENDING;
       rowState = MOVING;
       rowMove = 1;
       rowHost = sourceHost[1];
       rowIncarnation = sourceIncarnation[1];
       rowEpoch = rowEpoch - 1;
       SAYS("the records are those of a backup");
       changed()
     }
#endif
  od
}

/* ---- a host: OwnershipDialogue on both sides of a migration, VmCreation, CoordinatorSession ---- */

#define M move[h]

/* SourceMigration, StorageHandoff, Settlement, Aftermath. */
inline sourceSteps(h) {
  if
  /* Pre-copy ends, or the attempt does: the guest runs on. */
  :: d_step { copy[h] == RUNS && M != 0 && link[M] && !ready[M] -> copy[h] = PAUSED; SAY(h, "the source pauses the guest") }
  :: d_step {
       copy[h] == RUNS && M != 0 ->
       link[M] = false;
       M = 0
     }
  /* READY: the disks are released for the migration. */
  :: d_step {
       copy[h] == PAUSED && ready[M] && link[M] ->
       copy[h] = HELD;
       release(h)
     }
  /* Before the question any failure rolls back: LeaveToRun.NeverAsked. */
  :: d_step {
       copy[h] == PAUSED || copy[h] == HELD ->
       copy[h] = PUT_BACK;
       release(h);
       link[M] = false;
       SAY(h, "the source rolls back, and has not asked")
     }
  :: d_step {
       copy[h] == HELD ->
       copy[h] = ASKS;
       if
       :: link[M] -> commitSent[M] = (decision[M] == PENDING); ask(h, COMMIT); SAY(h, "the source asks for the commit")
       :: else -> ask(h, RESOLVE); SAY(h, "the source asks for the decision")
       fi
     }
#ifdef BUG_SOURCE_RESUMES_UNASKED
  :: d_step { copy[h] == ASKS && answer[h] == NOTHING -> copy[h] = PUT_BACK; leave(h); SAY(h, "no answer: the source rolls back") }
#endif
  :: d_step {
       copy[h] == ASKS && answer[h] != NOTHING ->
       if
       :: answer[h] == COMMITTED ->
          copy[h] = KEPT;
          go[M] = (link[M] -> answerEpoch[h] : 0);
          leave(h);
          SAY(h, "the source hears that it was committed, and says GO")
       :: answer[h] == ABORTED && answerEpoch[h] == epoch[h] ->
          copy[h] = PUT_BACK;
          link[M] = false;
          leave(h);
          SAY(h, "the source hears that it was aborted, and may run on")
       :: answer[h] == ABORTED && answerEpoch[h] != epoch[h] ->
          link[M] = false;
          SAY(h, "the source hears that the VM has moved on, and destroys its copy");
          destroy(h)
       :: answer[h] == TAKEN_BACK ->
          copy[h] = PUT_BACK;
          epoch[h] = answerEpoch[h];
          leave(h);
          SAY(h, "the source hears that the VM is its own again")
       fi
     }
  /* RUNNING. */
  :: d_step {
       copy[h] == KEPT && running[M] ->
       SAY(h, "the source hears RUNNING, and destroys its copy");
       destroy(h)
     }
#ifdef BUG_SOURCE_DESTROYS_AT_COMMIT
  :: d_step { copy[h] == KEPT -> SAY(h, "the source destroys its copy"); destroy(h) }
#endif
  /* Settlement.awaitFate: asks at once, and again once its epoch was called over. */
  :: d_step {
       copy[h] == KEPT && (question[h] == NOTHING || (word[h] >= epoch[h] && !released[h])) ->
#ifdef BUG_LOOKS_AFTER_ASKING
       released[h] = true;
       if
       :: question[h] == NOTHING -> ask(h, RESOLVE)
       :: else
       fi
#else
       released[h] = (word[h] >= epoch[h]);
       ask(h, RESOLVE)
#endif
     }
  :: d_step {
       copy[h] == KEPT && answer[h] == TAKEN_BACK ->
       copy[h] = PUT_BACK;
       epoch[h] = answerEpoch[h];
       released[h] = false;
       leave(h);
       SAY(h, "the source hears that the VM is its own again")
     }
  :: d_step {
       copy[h] == KEPT && answer[h] != NOTHING && answer[h] != TAKEN_BACK && released[h] && word[h] >= epoch[h] ->
       SAY(h, "the source hears that this epoch is over, and destroys its copy");
       destroy(h)
     }
  /* Settlement.runHere, Aftermath.putBack. */
  :: d_step {
       copy[h] == PUT_BACK && word[h] >= epoch[h] ->
       SAY(h, "the source hears that the epoch it was to run on under is over, too");
       destroy(h)
     }
  :: d_step {
       copy[h] == PUT_BACK && word[h] < epoch[h] && HAS_DISKS(h) ->
#ifdef REACH_TAKEN_BACK
       assert(decision[M] != TAKEN_BACK);  /* invariant: reached */
#endif
       letRun(h);
       M = 0;
       SAY(h, "the guest runs on at the source")
     }
  fi
}

/* DestinationMigration, Reception, Activation. */
inline destinationSteps(h) {
  if
  :: d_step { copy[h] == COMES && link[M] && copy[OTHER(h)] == PAUSED && move[OTHER(h)] == M ->
       copy[h] = READY;
       ready[M] = true;
       SAY(h, "the destination says READY")
     }
  /* Before READY a destination discards what it has by itself. */
  :: d_step { copy[h] == COMES -> link[M] = false; forget(h) }
  :: d_step {
       copy[h] == READY && go[M] != 0 ->
#ifdef BUG_ANY_GO
       if
       :: true -> copy[h] = OWNED; epoch[h] = go[M]; SAY(h, "the destination hears GO")
#else
       if
       :: go[M] == epoch[h] -> copy[h] = OWNED; SAY(h, "the destination hears GO")
#endif
       :: else -> copy[h] = INQUIRES; ask(h, RESOLVE)
       fi
     }
#ifndef BUG_DESTINATION_WAITS_FOR_GO
  :: d_step { copy[h] == READY && !link[M] -> copy[h] = INQUIRES; ask(h, RESOLVE); SAY(h, "the destination has lost its source, and asks") }
#endif
#ifdef BUG_DESTINATION_RUNS_UNASKED
  :: d_step { copy[h] == READY && !link[M] -> copy[h] = OWNED }
#endif
  :: d_step {
       (copy[h] == INQUIRES || copy[h] == GIVES) && answer[h] != NOTHING ->
       if
       :: answer[h] == COMMITTED && answerEpoch[h] == epoch[h] ->
          gaveBack[h] = (copy[h] == GIVES || gaveBack[h]);
          copy[h] = OWNED;
          leave(h);
          SAY(h, "the destination hears that the VM is its own")
       :: else ->
          SAY(h, "the destination hears that the VM is not its own, and destroys its copy");
          link[M] = false;
          destroy(h)
       fi
     }
  /* It opens the disks, takes the guest in, lets it run and reports it. */
  :: d_step {
       copy[h] == OWNED && MAY_ACTIVATE(h) && HAS_DISKS(h) ->
#ifndef AS_BEFORE_GIVE_BACK
       if
       :: gaveBack[h] -> copy[h] = KEEPS; ask(h, KEEP)
       :: else
#endif
          hasRun[M] = true;
          running[M] = link[M];
#ifdef REACH_ACTIVATION
          assert(false);  /* invariant: reached */
#endif
          letRun(h);
          SAY(h, "the guest runs at the destination");
          M = 0
#ifndef AS_BEFORE_GIVE_BACK
       fi
#endif
     }
  :: d_step {
       copy[h] == KEEPS && answer[h] != NOTHING && MAY_ACTIVATE(h) ->
       if
       :: answer[h] == COMMITTED && answerEpoch[h] == epoch[h] ->
          hasRun[M] = true;
          running[M] = link[M];
          letRun(h);
          SAY(h, "the guest runs at the destination after all");
          M = 0
       :: else ->
          link[M] = false;
          destroy(h)
       fi
     }
  /* It cannot: its disks, its machine, its end. */
  :: d_step {
       copy[h] == OWNED && failures > 0 ->
       failures--;
       release(h);
       copy[h] = GIVES;
       giveBackSent[M] = true;
       ask(h, GIVE_BACK);
       SAY(h, "the destination cannot run the guest, and asks that it goes back")
     }
#ifdef DISKS
  :: d_step {
       copy[h] == OWNED && CANNOT_OPEN(h) ->
       noDisks(h);
       copy[h] = GIVES;
       giveBackSent[M] = true;
       ask(h, GIVE_BACK);
       SAY(h, "the destination cannot have the disks")
     }
#endif
#ifdef HA
  /* It was told that the row has moved on. */
  :: d_step {
       (copy[h] == OWNED || copy[h] == KEEPS) && epoch[h] < bar[h] ->
       copy[h] = GIVES;
       giveBackSent[M] = true;
       ask(h, GIVE_BACK);
       SAY(h, "the destination is told that the row has moved on, and asks")
     }
#endif
  fi
}

/* VmCreation, DiskLease.take. */
inline builderSteps(h) {
  if
  /* The order to build the VM. A copy that is here already has it refused, and hears that it is stale. */
  :: d_step {
       up[h] && createSent[h] != 0 ->
       if
       :: copy[h] == NONE ->
          epoch[h] = createSent[h];
#ifdef DISKS
          copy[h] = TAKES;
#else
          copy[h] = BUILT;
#endif
          reports(h)
       :: else -> word[h] = (word[h] >= createSent[h] - 1 -> word[h] : createSent[h] - 1)
       fi;
       createSent[h] = 0;
       SAY(h, "is to build the VM")
     }
#ifdef DISKS
  :: d_step { copy[h] == TAKES && open[h] -> copy[h] = BUILT }
  :: d_step { copy[h] == TAKES && CANNOT_OPEN(h) -> noDisks(h); SAY(h, "cannot have the disks"); forget(h) }
#endif
  :: d_step {
       copy[h] == BUILT && question[h] == NOTHING ->
       startedSent[h] = epoch[h];
       startedBy[h] = incarnation[h];
       ask(h, STARTED)
     }
#ifdef BUG_BUILDER_RUNS_UNASKED
  :: d_step { copy[h] == BUILT -> letRun(h) }
#endif
  :: d_step {
       copy[h] == BUILT && answer[h] != NOTHING && (answer[h] != COMMITTED || MAY_ACTIVATE(h)) ->
       if
       :: answer[h] == COMMITTED && answerEpoch[h] == epoch[h] ->
          letRun(h);
#ifdef REACH_BOOT
          assert(false);  /* invariant: reached */
#endif
          SAY(h, "the VM was booted, and runs")
       :: else ->
          SAY(h, "what was built here is not wanted any more");
          destroy(h)
       fi
     }
  fi
}

inline hostSteps(h) {
  if
  /* The order to move the VM away: the hosts connect, and its destination begins to receive it. */
  :: d_step {
       startSent[1] && sourceHost[1] == h && incarnation[h] == sourceIncarnation[1] && copy[h] == RUNS && M == 0 &&
         up[OTHER(h)] && copy[OTHER(h)] == NONE && incarnation[OTHER(h)] == destinationIncarnation[1] ->
       startSent[1] = false;
       M = 1;
       move[OTHER(h)] = 1;
       copy[OTHER(h)] = COMES;
       epoch[OTHER(h)] = epoch[h] + 1;
       link[1] = true
     }
#if MOVES > 1
  :: d_step {
       startSent[2] && sourceHost[2] == h && incarnation[h] == sourceIncarnation[2] && copy[h] == RUNS && M == 0 &&
         up[OTHER(h)] && copy[OTHER(h)] == NONE && incarnation[OTHER(h)] == destinationIncarnation[2] ->
       startSent[2] = false;
       M = 2;
       move[OTHER(h)] = 2;
       copy[OTHER(h)] = COMES;
       epoch[OTHER(h)] = epoch[h] + 1;
       link[2] = true
     }
#endif
  /* CoordinatorSession.drop, for a guest that no migration is at work with. */
  :: d_step {
       (copy[h] == TAKES || copy[h] == BUILT || (copy[h] == RUNS && M == 0)) && word[h] >= epoch[h] ->
       SAY(h, "the copy is stale, and is destroyed");
       destroy(h)
     }
  fi
}

#ifdef DISKS
inline diskSteps(h) {
  if
  :: d_step {
       WANTS_DISKS(h) && !watching[h] && lock == NOBODY && !CANNOT_OPEN(h) && !(sawRenewal[h] && open[OTHER(h)]) ->
       sawRenewal[h] = false;
       lock = h;
       if
#ifdef BUG_FENCE_FAILS_OPEN
       /* The lease of the other host cannot be read, and that counts as silence. */
       :: true -> opens(h)
#else
       :: !diskHeld || diskHost == h -> opens(h)
       :: else -> mark = epoch[h]; watching[h] = true
#endif
       fi
     }
  :: d_step { watching[h] && !CANNOT_OPEN(h) && (hasWaited[h] || hasEnded) -> opens(h); SAY(h, "has waited out the lease of the host that had the disks") }
  /* Aftermath.awaitDisks: it is tried again, for which the model waits until that may come to something else. */
  :: d_step { copy[h] == PUT_BACK && watching[h] && CANNOT_OPEN(h) -> noDisks(h); sawRenewal[h] = open[OTHER(h)] }
  fi
}
#endif

#ifdef LEASES
/*
 * StorageLease and LeasedDisk.inspect (DISKS); what is to be the membership lease (HA). A renewal is sent and seen in one step: one that
 * is seen later than it was sent permits less. One whose answer does not come before the next tick permits nothing any more.
 */
inline leaseSteps(h) {
  if
  :: d_step {
       up[h] && !permitted[h] && renewal[h] == 0 ->
       renewal[h] = 1;
       silent[h] = false;
#ifdef HA
#ifndef BUG_STALE_COPY_IS_PERMITTED
       renewalBar[h] = (copy[h] != NONE && rowEpoch > epoch[h] -> rowEpoch : 0)
#endif
#else
       if
       :: watching[OTHER(h)] && diskHost == h && open[h] -> sawRenewal[OTHER(h)] = true
       :: else
       fi
#endif
     }
#ifdef DISKS
#define PERMITS 2
  /* Marks are read before anything is permitted. What is withdrawn is closed, behind the request in flight. */
  :: d_step {
       renewal[h] == 1 ->
       renewal[h] = 2;
#ifndef BUG_MARKS_NOT_READ
       if
       :: open[h] && (mark > epoch[h] || diskHost != h || diskEpoch != epoch[h]) ->
          if
          :: diskHost == h && diskEpoch == epoch[h] -> diskHeld = false
          :: else
          fi;
          if
          :: lock == h -> lock = NOBODY
          :: else
          fi;
          open[h] = false;
          SAY(h, "is fenced")
       :: else
       fi
#endif
     }
#else
#define PERMITS 1
#endif
  :: d_step {
       renewal[h] == PERMITS ->
       renewal[h] = 0;
#ifdef HA
       bar[h] = (renewalBar[h] > bar[h] && renewalBar[h] > epoch[h] && copy[h] != NONE -> renewalBar[h] : bar[h]);
       renewalBar[h] = 0;
#endif
       permitted[h] = true
     }
  fi
}
#endif

/* The guest's own steps: what others see of it. */
inline guestStep(h) {
  d_step {
    HAS_EFFECTS(h) && (epoch[h] != newestEffect || HAS_EFFECTS(OTHER(h))) ->
    SAY(h, "the guest has effects");
    assert(!HAS_EFFECTS(OTHER(h)));  /* invariant: at most one copy has effects */
    assert(epoch[h] > newestEffect);  /* invariant: no copy of an epoch that is over has effects */
    newestEffect = epoch[h]
  }
}

proctype Host(byte h) {
end:
  do
  :: sourceSteps(h)
  :: destinationSteps(h)
  :: builderSteps(h)
  :: hostSteps(h)
#ifdef DISKS
  :: diskSteps(h)
#endif
#ifdef LEASES
  :: leaseSteps(h)
#endif
  :: guestStep(h)
  od
}

/* ---- what goes wrong, and time ---- */

/* The agent dies, and all that it has in memory with it. What it has sent may still arrive. */
inline crash(h, forGood) {
  d_step {
    crashes > 0 && up[h] ->
    crashes--;
    up[h] = false;
    off[h] = forGood;
    link[M] = false;
    word[h] = 0;
#ifdef LEASES
    permitted[h] = false;
    renewal[h] = 0;
#endif
#ifdef HA
    renewalBar[h] = 0;
#endif
#ifdef DISKS
    open[h] = false;
    watching[h] = false;
    hasWaited[h] = false;
    sawRenewal[h] = false;
    if
    :: lock == h -> lock = NOBODY
    :: else
    fi;
#endif
    SAY(h, "the agent dies");
    forget(h)
  }
}

inline mishaps(h) {
  if
  :: crash(h, false)
  :: crash(h, true)
  :: d_step {
       !up[h] && !off[h] ->
       up[h] = true;
       incarnation[h]++;
#ifdef LEASES
       silent[h] = false;
       permitted[h] = true;
#ifdef DISKS
       hasEnded = (diskHost == h && diskHeld);
#endif
#endif
       SAY(h, "a new incarnation registers, and proves that the one before has ended")
     }
#ifdef DISKS
  /* The file server gives up the lock of a host that it does not hear. */
  :: d_step { lock == h && !permitted[h] -> lock = NOBODY }
#endif
  fi
}

/* What was under way may still be read, as a frozen host does when it wakes. Not to read it is as good as to have lost it. */
inline breaks(m) {
  d_step { link[m] -> link[m] = false; printf("the link breaks\n") }
}

#ifdef LEASES
inline tickOf(h) {
  permitted[h] = false;
  silent[h] = true;
#ifndef BUG_LEASE_FROM_ANSWER
  renewal[h] = 0;
#ifdef HA
  renewalBar[h] = 0;
#endif
#endif
#ifdef DISKS
  hasWaited[h] = watching[h]
#endif
}
#ifdef DISKS
#define IS_WAITING(h) ((!up[h] && !silent[h]) || (watching[h] && !hasWaited[h] && !hasEnded && !CANNOT_OPEN(h)))
#else
#define IS_WAITING(h) (!up[h] && !silent[h])
#endif
#endif

proctype World() {
#if defined(HA) && defined(BUG_FENCE_FAILS_OPEN)
  bool restarted = false;
#endif
end:
  do
  :: mishaps(A)
  :: mishaps(B)
  :: breaks(1)
#if MOVES > 1
  :: breaks(2)
#endif
#ifdef LEASES
  :: d_step {
       ticks > 0 || IS_WAITING(A) || IS_WAITING(B) ->
       ticks = (ticks > 0 -> ticks - 1 : 0);
       tickOf(A);
       tickOf(B);
       printf("the clock ticks\n")
     }
#endif
#if defined(HA) && defined(BUG_FENCE_FAILS_OPEN)
  /* A coordinator that starts takes it for silence that it has heard nobody. (One that does not only waits longer.) */
  :: d_step {
       !restarted ->
       restarted = true;
       silent[A] = true;
       silent[B] = true;
       printf("the coordinator starts anew\n")
     }
#endif
  od
}

/* ---- the end of a run ---- */

#ifdef DISKS
#define CAN_RUN(h) (open[h])
#else
#ifdef HA
#define CAN_RUN(h) (epoch[h] >= bar[h])
#else
#define CAN_RUN(h) true
#endif
#endif
#define IS_ITS_OWNER(h) (up[h] && rowHost == (h) && rowIncarnation == incarnation[h])
#define RUNS_HERE_ALONE(h) (rowState == ACTIVE && IS_ITS_OWNER(h) && copy[h] == RUNS && epoch[h] == rowEpoch && CAN_RUN(h) \
  && copy[OTHER(h)] == NONE)
/* The row says that it is stopped, and nobody is to start it or can. */
#define IS_STOPPED (rowState == STOPPED && copy[A] == NONE && copy[B] == NONE && (boots == 0 || (!up[A] && !up[B])))
/* Its owner is gone, it is UNKNOWN or FAILED, and nobody is to boot it or can; a paused copy from before may be kept. */
#ifdef LEASES
#define NOBODY_BOOTS_IT (boots == 0 || (!up[A] && !up[B]))
#else
#define NOBODY_BOOTS_IT (boots == 0 || (!up[A] && !up[B]) || off[rowHost])
#endif
#define IS_IDLE(h) (copy[h] == NONE || copy[h] == KEPT || (copy[h] == RUNS && epoch[h] < rowEpoch && !CAN_RUN(h)) || \
  (copy[h] == PUT_BACK && epoch[h] < rowEpoch))
#define WAITS_FOR_AN_OPERATOR (rowState == ACTIVE && !IS_ITS_OWNER(rowHost) && IS_IDLE(A) && IS_IDLE(B) && NOBODY_BOOTS_IT)

proctype End() {
end:
  timeout ->
  assert(RUNS_HERE_ALONE(A) || RUNS_HERE_ALONE(B) || IS_STOPPED || WAITS_FOR_AN_OPERATOR)  /* invariant: in the end the VM runs, or the row says why not */
}

init {
  atomic {
    run Coordinator();
    run Host(A);
    run Host(B);
    run World();
    run End()
  }
}
