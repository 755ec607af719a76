"""What the report says of how its figures were come by. All of it is as the harness does it; change both together.

A run keeps METHOD with its figures, so that a report tells how they, and not the next ones, were measured. VERDICTS says how
they are judged, which a report does anew.
"""

METHOD = """\
Every system is a process of its own, with the versions above and the settings in `benchmarks/peers/`: what its own documentation
advises for this job, with larger batches where that helped. All do the same: strict validation, exact sums, the same answer, offsets
committed after the answers are published (FastStream record by record excepted: it acknowledges first, which is its default). The broker
has the heap and the collector that Kafka's documentation advises for production: 6 GiB, or a quarter of the machine's memory if that is
less, and G1.

**Backlog.** The records are in the request topic before a system starts, the same for all, with distinct values; the system has a group of
its own and an empty result topic, and the broker's append times in that topic are the clock. Each system first drains a small backlog,
which warms up and does not count; from its rate there follows how many batches it is given to take about seven seconds, as a round
number and never more than the disk has room for (`Backlogs` in `benchmarks/profiles.py`). Then the systems take turns, and each
round begins with another one. Figures are medians of the rounds. A rate leaves out the first quarter of the answers, so that start, caches
and just-in-time compilers count for nobody; processor time is that of the same stretch, of all processes and ended children.
Memory is the proportional set size: what is shared is counted once. After every run all answers are read and compared with the right
sums; a wrong or missing one makes it a failure.

**Latency under load** is at half of what a system can bear while somebody sends: sender, broker and system share the cores, so that is
less than the rate of a backlog that is there already. The speed of the machine drifts, so each load comes in three spells of two seconds,
and before each the system is sent requests at that higher rate for one second: the load's rate follows from how many answers came a
second, until the last one, in all of these so far. Each spell counts as a round. The latency is from when a request was due (bursts every
5 ms, each a batch for one partition after the other, that wait for nobody, so that no stall is hidden) to when the broker appended the
answer; where the load itself was late, the table says so. Requests are made before the clock starts, for whoever sends takes the cores of
those that are measured. "Slowest to quickest" tells how steadily the machine ran: the processor time that a burst took the sender, in the
slowest tenth of all spans of 50 ms against the quickest. At 2, half of what can be borne in a good moment is all that can be borne in a
bad one. The service's loads follow each other, with no other system between. Its first three, its first one with exactly once, and the
first 0.3 s of every spell do not count: a broker that has just started is busy compiling itself. The broker's transactions are run by an
interpreter until there have been thousands; so exactly once is compared with at least once after the loads, not before them.
**A lone batch**'s is from a client's `produce` to the answer in its hands. Arroyo's loop waits up to a second for the next record before each of
its steps goes on, so a lone one takes three.

**First result** is from the start of the process to the first answer in the topic, with the backlog there.

**Watched** is an instance whose metrics are scraped each second and whose live page is open, all the time. What that costs is told by processor
time, of which a batch takes the same from round to round: rates of the same system differ by more than what is looked for.

What the service is held against (the worker's function alone, librdkafka, an empty produce and fetch) is measured right before it in every
round, because the machine's own speed drifts meanwhile."""

VERDICTS = """\
**Verdicts.** A bar is met or missed. Where it is missed and could not have been reached, the limit is shown beside it: the ratio that there would be if
all cores did only what cannot be left out. That is a worker's work (records decoded, summed, and answers encoded), the calls that read requests
from a socket and write answers to one, and one copy of the requests to where a worker can take them, all measured with no Kafka, and the broker's
work (its processor time, measured while the service drained). All else of fetching, publishing and asking a worker would cost nothing.
A lone batch's limit is what the same client takes where no worker is asked, and its own event loop does the work. Of the worker's function itself,
on one core, what cannot be left out is that simdjson, the quickest parser that we found, reads the integers, and numpy sums them: without a proof
that pydantic would say the same, and without an answer."""

REPEAT = """\
```console
$ make bench                         # everything, in about half an hour; writes this page, its picture and the README's figures
$ make bench-quick                   # small and medium against three peers, in under five minutes; writes nothing here
$ make bench PYTHON=/usr/bin/python3 # by another Python, for the service and its peers alike, in a fresh clone
$ .venv/bin/python -m benchmarks --plan      # what would be measured, and how long it takes
$ .venv/bin/python -m benchmarks --render    # this page again, from benchmarks/results/latest.json
```

It needs Java and Maven, some 12 GB of disk, and a machine that does nothing else: how busy it was before the run is part of the figures.
The Python should be one that is built with optimisations, as those of Debian and of the official images are.
"""
