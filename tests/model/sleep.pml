/*
 * The sleep protocol of shm/sleep.h: no wake is lost, and each sleep is rung for once at most.
 *
 * docs/models.md ties each step to its line in the code. A store that is not seq_cst in the code (the news, and
 * Sleeper::wake) waits in a TSO store buffer until the process Memory empties it, or the next seq_cst store or fence of
 * its process waits for that. Mutant 5 makes another store as weak.
 *
 *   published, consumed_by_reader   ControlLines::published of the ringer, and what the sleeper has read of it
 *   sleep_word                      ControlLines::sleep of the sleeper: epoch * 2 + asleep
 *   doorbell                        rings that the eventfd holds; the sleeper's poll sees an edge for each
 *
 * MUTANT 1: the sleeper does not look again after it announced (no S3)
 * MUTANT 2: the ringer looks at the sleep word before it publishes (S4 before S2)
 * MUTANT 3: the sleeper looks before it announces (S3 before S1)
 * MUTANT 4: an epoch is taken as rung for although the kernel refused the ring
 * MUTANT 5: the sleeper announces with a plain store
 * MUTANT 6: the ringer looks at the sleep word without a fence before it
 * With any of them the model must fail; tests/model/model_check.py sees to it.
 */

#ifndef MUTANT
#define MUTANT 0
#endif
#define NEWS 3 /* batches that the ringer publishes */

byte published = 0;
byte consumed = 0;
byte sleep_word = 0;
byte doorbell = 0;
byte rings_in_epoch = 0;

/* The store buffers, of one store each. */
bool sleep_waits = false;
byte sleep_to;
bool published_waits = false;
byte published_to = 0;

active proctype Sleeper() {
  byte epoch = 0;
  byte seen;
  do
  :: consumed == NEWS -> break
  :: else ->
    /* Reads what there is: Link::poll. */
    seen = published;
    if
    :: seen != consumed -> consumed = seen
    :: else ->
#if MUTANT == 3
      seen = published; /* S3, too early */
#endif
      epoch++;
      !sleep_waits;
#if MUTANT == 5
      atomic { sleep_waits = true; sleep_to = epoch * 2 + 1; rings_in_epoch = 0 }
#else
      atomic { sleep_word = epoch * 2 + 1; rings_in_epoch = 0 } /* S1 */
#endif
#if MUTANT != 1 && MUTANT != 3
      seen = published; /* S3 */
#endif
      if
      :: seen != consumed -> skip /* S5: does not sleep */
      :: else ->
        atomic { doorbell > 0 -> doorbell = 0 } /* sleeps in io_uring_enter until an edge */
      fi;
      atomic { !sleep_waits -> sleep_waits = true; sleep_to = epoch * 2 } /* Sleeper::wake */
    fi
  od
}

active proctype Ringer() {
  byte written = 0;
  byte rung = 0;
  byte word = 0;
  bool owed = false;
  do
  :: written == NEWS && !owed -> break
  :: else ->
#if MUTANT == 2
    word = sleep_word; /* S4, too early */
#endif
    if
    :: written < NEWS ->
      written++;
      atomic { !published_waits -> published_waits = true; published_to = written } /* S2 */
    :: owed -> skip /* Link::flush tries again */
    fi;
    owed = false;
#if MUTANT != 2
#if MUTANT != 6
    !published_waits; /* S4: the fence */
#endif
    word = sleep_word; /* S4 */
#endif
    if
    :: word % 2 == 1 && word / 2 != rung ->
      /* S6: write(2) to the eventfd; the kernel may refuse. */
      if
      :: atomic {
           doorbell++;
           rings_in_epoch = (sleep_word / 2 == word / 2 -> rings_in_epoch + 1 : rings_in_epoch);
           assert(rings_in_epoch <= 1) /* one wake per sleep */
         }
         rung = word / 2
      :: owed = true
#if MUTANT == 4
         ; rung = word / 2
#endif
      fi
    :: else -> skip
    fi
  od
}

active proctype Memory() {
end:
  do
  :: atomic { sleep_waits -> sleep_word = sleep_to; sleep_waits = false }
  :: atomic { published_waits -> published = published_to; published_waits = false }
  od
}

/* The end is reached by everybody: a lost wake leaves the sleeper at an invalid end state, which spin reports. */
