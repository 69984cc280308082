/*
 * Cancelling a queued request, with one writer per page: never both delivered and retracted, and its memory comes back
 * exactly once, on every path, whoever dies at whatever step.
 *
 * docs/models.md ties each step to its line in the code. Checked under sequential consistency, which is what the
 * protocol asks for: K1 to K4 of shm/ring.h are seq_cst. The mutants 6 and 7 make a store plain; then it waits in a TSO store
 * buffer, which the process Memory empties whenever it likes.
 *
 *   published, cell, mark   the sender's segment: how far, which request a cell holds, its record's `retracted`
 *   claimed, consumed       the reader's segment
 *   replies, releases       what the reader publishes: its ring, and its release ring
 *   lent                    the sender's private table of what it lent; the block of request r is r's payload
 *
 * MUTANT 1: the sender looks at `claimed` before it marks (K2 before K1)
 * MUTANT 2: the reader looks at the mark before it claims (K4 before K3)
 * MUTANT 3: the reader releases the block of a record whose mark it saw
 * MUTANT 4: the sender marks a record whose cell it may have used again
 * MUTANT 5: the block of a taken request comes back at once
 * MUTANT 6: the mark is a plain store
 * MUTANT 7: the claim is a plain store
 * MUTANT 8: a reply that says "cancelled" is heeded although the request was retracted
 * MUTANT 9: the reader reads the payload of a record whose mark it saw
 * MUTANT 10: at the peer's death the replies that it had published are not looked at first
 * MUTANT 11: a claim is announced once for the whole batch, after its records were looked at
 */

#ifndef MUTANT
#define MUTANT 0
#endif
#define REQUESTS 3
#define CELLS 2

mtype = { none, retracted, answered, cancelled, unknown }; /* how a call ended; answered and cancelled are replies */

byte published = 0;
byte cell[CELLS];
bool mark[CELLS];
byte claimed = 0;
byte consumed = 0;
chan replies = [REQUESTS] of { mtype, byte };
chan releases = [REQUESTS] of { byte };

/* Private to the sender. */
bool lent[REQUESTS];
bool asked[REQUESTS]; /* somebody wants it cancelled */
bool taken[REQUESTS]; /* K2 said so */
mtype outcome[REQUESTS] = none;

/* What the properties are about. */
byte freed[REQUESTS];
bool delivered[REQUESTS];
bool reading[REQUESTS];

bool sender_dies = false;
bool reader_dies = false;
bool sender_gone = false; /* the kernel has closed its socket */
bool reader_gone = false;

/* Stores that wait in a buffer: mutants only. */
bool mark_waits = false;
byte mark_at;
bool claim_waits = false;
byte claim_to;

inline free_block(r) {
  assert(lent[r]); /* else a false return, which would end the link */
  assert(freed[r] == 0);
  assert(!reading[r] || reader_gone);
  lent[r] = false;
  freed[r]++
}

inline finish(r, how) {
  assert(outcome[r] == none); /* a call ends once */
  assert(how != retracted || !delivered[r]);
  assert(how != cancelled || (asked[r] && !delivered[r]));
  outcome[r] = how
}

inline handle_reply() {
  atomic {
    replies?how, r;
    if
#if MUTANT != 8
    :: outcome[r] == retracted -> assert(how == cancelled) /* decided: ignored */
#endif
    :: else ->
      if
      :: how == cancelled -> free_block(r)
      :: else -> skip
      fi;
      finish(r, how)
    fi;
    r = 0;
    how = none
  }
}

inline cancel() {
  atomic { asked[r] = true; looked = claimed }
  if
#if MUTANT != 4
  :: r < seen_consumed -> taken[r] = true /* RingWriter::retract: the cell may hold another by now */
#endif
  :: else ->
#if MUTANT == 6
    atomic { mark_waits = true; mark_at = r % CELLS }
#else
    mark[r % CELLS] = true; /* K1 */
#endif
#if MUTANT != 1
    looked = claimed; /* K2 */
#endif
    if
    :: looked <= r -> atomic { finish(r, retracted); free_block(r) } /* Retraction::kRetracted */
    :: else -> atomic {
        taken[r] = true;
#if MUTANT == 5
        free_block(r)
#endif
      }
    fi
  fi;
  atomic { r = 0; looked = 0 } /* fewer states */
}

#define ENDED (outcome[0] != none && outcome[1] != none && outcome[2] != none)
#define HOME (!lent[0] && !lent[1] && !lent[2])
#define CAN_CANCEL(n) (n < published && outcome[n] == none && !asked[n])

active proctype Sender() {
  byte r;
  byte looked;
  byte seen_consumed = 0;
  mtype how = none;
  {
    do
    :: published == REQUESTS && ENDED && HOME -> break
    :: published < REQUESTS && published - seen_consumed < CELLS ->
      atomic { cell[published % CELLS] = published; mark[published % CELLS] = false; lent[published] = true }
      published++ /* P3 */
    :: seen_consumed != consumed -> seen_consumed = consumed /* P1 */
    :: nempty(replies) -> handle_reply()
    :: atomic { nempty(releases) -> releases?r; free_block(r); r = 0 }
    /* 2 lies in the cell that 0 had; 1 between them is nobody's to cancel. */
    :: CAN_CANCEL(0) -> r = 0; cancel()
    :: CAN_CANCEL(2) -> r = 2; cancel()
    :: reader_gone -> break
    od;
    /* Link::drain_and_end, then Link::end. */
#if MUTANT != 10
    do
    :: nempty(replies) -> handle_reply()
    :: empty(replies) -> break
    od;
#endif
    do
    :: atomic { nempty(releases) -> releases?r; free_block(r); r = 0 }
    :: empty(releases) -> break
    od;
    atomic {
      r = 0;
      do
      :: r < published ->
        if
        :: lent[r] -> free_block(r)
        :: else
        fi;
        if
        :: outcome[r] == none -> finish(r, unknown)
        :: else
        fi;
        assert(freed[r] == 1);
#if MUTANT != 10
        assert(outcome[r] != unknown || reader_gone)
#else
        assert(outcome[r] != unknown || empty(replies))
#endif
        r++
      :: else -> break
      od
    }
  } unless {
    sender_dies
  }
  sender_gone = true
}

/* How the reader gives its answer: the block first, or the reply. */
inline deliver() {
  atomic {
    assert(!delivered[request] && outcome[request] != retracted);
    assert(freed[request] == 0 || sender_gone);
    delivered[request] = true;
    reading[request] = true
  }
  atomic { assert(freed[request] == 0 || sender_gone); reading[request] = false }
  if
  :: releases!request; replies!answered, request
  :: replies!answered, request; releases!request
  fi
}

inline look_at_mark() { marked = mark[position % CELLS] /* K4 */ }
inline claim(to) {
#if MUTANT == 7
  atomic { claim_waits = true; claim_to = to }
#else
  claimed = to /* K3 */
#endif
}

active proctype Reader() {
  byte position = 0;
  byte end;
  byte request;
  bool marked;
  {
    do
    :: position == REQUESTS -> break
    :: position < published ->
      end = published; /* C1: a batch */
      do
      :: position < end ->
        request = cell[position % CELLS];
#if MUTANT == 11
        look_at_mark();
        if
        :: position + 1 == end -> claim(end)
        :: else
        fi;
#elif MUTANT == 2
        look_at_mark();
        claim(position + 1);
#else
        claim(position + 1);
        look_at_mark();
#endif
        if
        :: marked ->
#if MUTANT == 9
          assert(freed[request] == 0 || sender_gone);
#endif
#if MUTANT == 3
          releases!request;
#endif
          replies!cancelled, request /* kFlagRetracted */
        :: else -> deliver()
        fi;
        atomic { position++; request = 0; marked = false }
      :: else -> break
      od;
      atomic { consumed = position; end = 0 } /* C3 */
    :: sender_gone && position == published -> break
    od
  } unless {
    reader_dies
  }
  reader_gone = true
}

active proctype Killer() {
  if
  :: sender_dies = true
  :: reader_dies = true
  :: skip
  fi
}

#if MUTANT == 6 || MUTANT == 7
active proctype Memory() {
end:
  do
  :: atomic { mark_waits -> mark[mark_at] = true; mark_waits = false }
  :: atomic { claim_waits -> claimed = claim_to; claim_waits = false }
  od
}
#endif

/* Everybody comes to an end: a call that nobody ends leaves the sender at an invalid end state, which spin reports. */
