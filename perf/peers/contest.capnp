@0xd7a6c1f04be3529b;
# What perf/peers/capnp.cc calls.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("wharf::perf");

interface Contest {
  call @0 (payload :Data) -> (payload :Data);
  push @1 (payload :Data) -> stream;
  end @2 ();  # answered when all that was pushed has arrived
}
