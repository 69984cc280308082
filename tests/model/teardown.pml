/*
 * The end of a link: what the peer published before its end is delivered once, whoever waits is resumed once, what is
 * lent comes back once, and nothing is used once it is unmapped.
 *
 * docs/models.md ties each step to its line in the code. The peer publishes its messages, each in a batch of its own, and
 * closes its port, with a goodbye; or it dies at any step. Either way its socket ends, which the kernel sees to.
 *
 *   published, socket_open   what the peer shares: its ring, and its end of the socket
 *   asleep, doorbell         the sleep protocol in short; sleep.pml has it in full
 *   returned                 blocks of the survivor's that the peer has given back
 *   waiter                   0: a receive, 1: a call, 2: a send that waits for room, 3: a loan
 *   holds                    a message that the user keeps longer than the link lives; it holds a Ref to the lane
 *
 * MUTANT 1: no last drain
 * MUTANT 2: the last drain comes before the look at the socket
 * MUTANT 3: the link ends twice: from a send that found it broken, and from the socket's watch
 * MUTANT 4: what is lent is taken back without a look at what was returned, which is then counted too
 * MUTANT 5: the peer closes its socket before it publishes the goodbye
 * MUTANT 6: the end unmaps the lane although a message is held
 * MUTANT 7: the socket's end does not wake a sleeper
 * MUTANT 8: a goodbye ends the link at once, with sends and loans still waiting
 * MUTANT 9: the last drain stops at the turn's budget
 * MUTANT 10: the receivers are resumed by the goodbye, and again at the end
 */

#ifndef MUTANT
#define MUTANT 0
#endif
#define NEWS 3       /* messages of the peer's; the goodbye comes behind them */
#define BUDGET 1     /* messages handled in one turn */
#define BLOCKS 2     /* of the survivor's that the peer holds */
#define WAITERS 4

byte published = 0;
byte returned = 0;
bool socket_open = true;
bool asleep = false;
bool doorbell = false;
bool peer_dies = false;
bool closed_well = false; /* the peer's close() ran to its end */

byte delivered = 0;
bool fin_received = false;
bool peer_gone = false;
bool ended = false;
bool mapped = true;
bool holds = false;
byte lent = BLOCKS;
byte collected = 0;
byte resumed[WAITERS];
byte receiver_ends = 0; /* receives that gave nullopt */

/* S2, S4, S6 of sleep.h. */
inline publish_and_ring() {
  published++;
  if
  :: asleep -> doorbell = true
  :: else
  fi
}

active proctype Peer() {
  {
    do
    :: published < NEWS -> publish_and_ring()
    :: returned < BLOCKS -> returned++
    :: published == NEWS ->
      /* Link::close */
#if MUTANT == 5
      socket_open = false;
      closed_well = true;
      publish_and_ring();
#else
      publish_and_ring(); /* E1: the goodbye, and flush */
      atomic { socket_open = false; closed_well = true } /* E2 */
#endif
      break
    od
  } unless {
    peer_dies
  }
  socket_open = false /* the kernel's part of a death */
}

active proctype Killer() {
  if
  :: peer_dies = true
  :: skip
  fi
}

inline resume(who) {
  resumed[who]++;
  assert(resumed[who] <= 1)
}

/* Takes the next record; delivered counts the messages. */
inline take() {
  atomic {
    assert(mapped && position < published && !ended);
    position++;
    if
    :: position <= NEWS -> delivered++; holds = true
    :: else ->
      fin_received = true;
      receiver_ends++;
      if
      :: resumed[1] == 0 -> resume(1) /* no reply can come */
      :: else
      fi;
#if MUTANT == 8
      end_link()
#endif
    fi
  }
}

inline end_link() {
#if MUTANT != 3
  if
  :: ended -> skip
  :: else ->
#endif
    ended = true;
    /* Lane::close: everything that the peer holds comes back. */
    assert(lent + collected == BLOCKS);
    lent = 0;
#if MUTANT == 6
    mapped = false;
#endif
#if MUTANT != 10
    if
    :: !fin_received -> receiver_ends++
    :: else
    fi;
#else
    receiver_ends++;
#endif
    if
    :: resumed[1] == 0 -> resume(1)
    :: else
    fi;
#if MUTANT != 8
    resume(2);
    resume(3)
#else
    skip
#endif
#if MUTANT != 3
  fi
#endif
}

inline collect() {
  atomic {
    assert(mapped);
    if
    :: collected < returned -> lent = lent - (returned - collected); collected = returned
    :: else
    fi
  }
}

inline drain_and_end() {
#if MUTANT != 1 && MUTANT != 2
  budget = BUDGET;
  do
  :: !ended && position < published ->
#if MUTANT == 9
    if
    :: budget == 0 -> break
    :: else -> budget--
    fi;
#endif
    take() /* T3 */
  :: else -> break
  od;
#endif
#if MUTANT == 4
  atomic { collected = returned }
#else
  collect(); /* T4 */
#endif
  atomic { end_link() } /* T5 */
}

active proctype Survivor() {
  byte position = 0;
  byte budget;
  bool seen_open;
  do
  :: ended -> break
  :: else ->
    /* Link::poll */
    if
    :: peer_gone -> drain_and_end() /* T2 */
    :: else ->
      collect();
      if
      :: !socket_open ->
        /* Link::broken: a send of its own finds the end first. */
        drain_and_end()
#if MUTANT == 3
        ; atomic { end_link() }
#endif
      :: skip
      fi;
      budget = BUDGET;
      do
      :: !ended && budget > 0 && position < published && !fin_received -> take(); budget--
      :: else -> break
      od
    fi;
    /* Link::prepare_sleep, then io_uring_enter. */
    if
    :: ended || budget == 0 || peer_gone -> skip
    :: else ->
      asleep = true; /* S1 */
      if
      :: position < published && !fin_received -> skip /* S3 */
      :: else ->
        if
        :: atomic { doorbell -> doorbell = false } /* S5 */
#if MUTANT != 7
        :: atomic { !socket_open && !peer_gone -> peer_gone = true } /* T1 */
#endif
        fi
      fi;
      asleep = false
    fi;
#if MUTANT == 2
    /* Looks at what there is first, and at the socket afterwards. */
    do
    :: !ended && position < published && !fin_received -> take()
    :: else -> break
    od;
    peer_gone = peer_gone || !socket_open;
#else
    /* A completion of the socket's watch, while awake. */
    if
    :: !ended && !socket_open -> peer_gone = true /* T1 */
    :: skip
    fi
#endif
  od;
  /* The user drops what was held. */
  if
  :: holds -> assert(mapped); holds = false
  :: else
  fi;
  assert(delivered <= NEWS);
  assert(!closed_well || delivered == NEWS);
  assert(delivered >= NEWS || delivered == position); /* published before the death: delivered */
  assert(position == published);
  assert(!closed_well || fin_received);
  assert(receiver_ends == 1 && resumed[1] == 1 && resumed[2] == 1 && resumed[3] == 1);
  assert(lent == 0 && collected <= BLOCKS)
}
