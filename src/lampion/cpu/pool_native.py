"""The native side of the pool of threads, as LLVM text. `pool.py` says how it works.

Functions of the text, on a control block whose words `WORDS` names:

    ptr worker(ptr control)                                  what a worker's thread runs
    void run(ptr control, ptr function, ptr args, i64 jobs)  do all jobs
    i64 resize(ptr control, i64 workers, i64 patience)       have this many workers from now on
    void forget(ptr control)                                 as new, after a fork
    i64 frequency()                                          ticks in a second
"""

from __future__ import annotations

from typing import NamedTuple

# The words of the control block (64 bits each). Words that different threads write are 128 bytes
# apart, because processors fetch cache lines in pairs.
WORDS = {
    "epoch": 0,  # odd: a region is open; workers sleep on its lower half
    "next": 16,  # the first job that nobody has taken
    "function": 32, "args": 33, "jobs": 34, "block": 35, "rounding": 36,  # the open region
    "owner": 48,  # 1 while a thread uses the pool
    "busy": 64,  # workers that may be inside a region
    "sleepers": 80,  # workers that may be asleep
    "stop": 96, "workers": 97, "patience": 98,
    "mutex": 112, "cond": 128,  # where there is no futex
    "handles": 144,  # of the workers' threads
}
MOST = 1024  # workers
SIZE = (144 + MOST) * 8  # bytes of the control block
# Blocks of jobs per thread: enough that a thread whose core is taken away delays the end by little.
BLOCKS = 16
# The number of the futex call.
FUTEX = {"x86_64": 202, "aarch64": 98}


class Processor(NamedTuple):
    """How a processor waits, tells the time, and how it is told to round."""

    declarations: str
    pause: str
    ticks: str
    frequency: str
    get_rounding: str
    set_rounding: str


# x86's time stamps count a few times 1e9 a second; which exactly does not matter here.
X86 = Processor(
    declarations="""declare void @llvm.x86.sse2.pause()
declare i64 @llvm.readcyclecounter()
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)""",
    pause="call void @llvm.x86.sse2.pause()",
    ticks="""%ticks = call i64 @llvm.readcyclecounter()
  ret i64 %ticks""",
    frequency="ret i64 2500000000",
    get_rounding="""%place = alloca i32
  call void @llvm.x86.sse.stmxcsr(ptr %place)
  %mode = load i32, ptr %place
  %wide = zext i32 %mode to i64
  ret i64 %wide""",
    set_rounding="""%place = alloca i32
  %narrow = trunc i64 %mode to i32
  store i32 %narrow, ptr %place
  call void @llvm.x86.sse.ldmxcsr(ptr %place)""",
)
ARM = Processor(
    declarations="""declare i64 @llvm.aarch64.get.fpcr()
declare void @llvm.aarch64.set.fpcr(i64)""",
    pause='call void asm sideeffect "yield", ""()',
    ticks="""%ticks = call i64 asm sideeffect "mrs $0, cntvct_el0", "=r"()
  ret i64 %ticks""",
    frequency="""%frequency = call i64 asm "mrs $0, cntfrq_el0", "=r"()
  ret i64 %frequency""",
    get_rounding="""%mode = call i64 @llvm.aarch64.get.fpcr()
  ret i64 %mode""",
    set_rounding="call void @llvm.aarch64.set.fpcr(i64 %mode)",
)
# No clock: workers sleep at once.
OTHER = Processor(
    declarations="", pause="", ticks="ret i64 0", frequency="ret i64 0",
    get_rounding="ret i64 0", set_rounding="",
)


def text(machine: str, parking: str) -> str:
    """Return the LLVM text.

    Args:
        machine: the processor as `platform.machine()` names it, in small letters.
        parking: how a worker sleeps: "futex" (Linux), "condition" (a condition variable of
            pthreads), or "none" where there are no workers.
    """
    if parking == "none":
        return SERIAL
    if machine in ("x86_64", "amd64"):
        processor = X86
    else:
        processor = ARM if machine in ("aarch64", "arm64") else OTHER
    words = {name: f"getelementptr i64, ptr %control, i64 {place}" for name, place in WORDS.items()}
    sleeping = FUTEX_PARKING if parking == "futex" else CONDITION_PARKING
    return TEMPLATE.format(
        **words, **processor._asdict(), blocks=BLOCKS,
        parking=sleeping.format(**words, futex=FUTEX.get(machine)),
    )


TEMPLATE = """
declare i32 @sched_yield()
declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_join(i64, ptr)
{declarations}

define internal void @pause() alwaysinline {{
  {pause}
  ret void
}}

define internal i64 @ticks() alwaysinline {{
  {ticks}
}}

define internal i64 @rounding() alwaysinline {{
  {get_rounding}
}}

define internal void @set_rounding(i64 %mode) alwaysinline {{
  {set_rounding}
  ret void
}}

{parking}

; Takes blocks of jobs and does them until none is left.
define internal void @drain(ptr %control) {{
entry:
  %next = {next}
  %function.at = {function}
  %args.at = {args}
  %jobs.at = {jobs}
  %block.at = {block}
  %function = load ptr, ptr %function.at
  %args = load ptr, ptr %args.at
  %jobs = load i64, ptr %jobs.at
  %block = load i64, ptr %block.at
  br label %take
take:
  %begin = atomicrmw add ptr %next, i64 %block acq_rel
  %some = icmp slt i64 %begin, %jobs
  br i1 %some, label %work, label %done
work:
  %full = add i64 %begin, %block
  %whole = icmp slt i64 %full, %jobs
  %end = select i1 %whole, i64 %full, i64 %jobs
  call void %function(ptr %args, i64 %begin, i64 %end)
  br label %take
done:
  ret void
}}

; What a worker does all its life: wait for an open region that it has not seen, help, wait again.
define ptr @worker(ptr %control) {{
entry:
  %busy = {busy}
  %sleepers = {sleepers}
  %stop.at = {stop}
  %patience.at = {patience}
  %rounding.at = {rounding}
  br label %wait
wait:
  %seen = phi i64 [ 0, %entry ], [ %seen, %late ], [ %opened, %help ]
  %patience = load i64, ptr %patience.at
  %start = call i64 @ticks()
  br label %watch
watch:
  %epoch = load atomic i64, ptr %control acquire, align 8
  %odd = and i64 %epoch, 1
  %open = icmp ne i64 %odd, 0
  %new = icmp ne i64 %epoch, %seen
  %ready = and i1 %open, %new
  br i1 %ready, label %enter, label %spin
spin:
  call void @pause()
  %now = call i64 @ticks()
  %waited = sub i64 %now, %start
  %more = icmp slt i64 %waited, %patience
  br i1 %more, label %watch, label %sleep
sleep:
  atomicrmw add ptr %sleepers, i64 1 seq_cst
  br label %look
look:
  %epoch.2 = load atomic i64, ptr %control seq_cst, align 8
  %odd.2 = and i64 %epoch.2, 1
  %open.2 = icmp ne i64 %odd.2, 0
  %new.2 = icmp ne i64 %epoch.2, %seen
  %ready.2 = and i1 %open.2, %new.2
  br i1 %ready.2, label %awake, label %park
park:
  %half = trunc i64 %epoch.2 to i32
  call void @park(ptr %control, i32 %half)
  br label %look
awake:
  atomicrmw sub ptr %sleepers, i64 1 seq_cst
  br label %enter
enter:
  atomicrmw add ptr %busy, i64 1 seq_cst
  %opened = load atomic i64, ptr %control seq_cst, align 8
  %odd.3 = and i64 %opened, 1
  %open.3 = icmp ne i64 %odd.3, 0
  br i1 %open.3, label %inside, label %late
inside:
  ; The last region of all has no jobs: it says stop.
  %stop = load atomic i64, ptr %stop.at acquire, align 8
  %stopped = icmp ne i64 %stop, 0
  br i1 %stopped, label %exit, label %help
help:
  %mode = load i64, ptr %rounding.at
  call void @set_rounding(i64 %mode)
  call void @drain(ptr %control)
  atomicrmw sub ptr %busy, i64 1 seq_cst
  br label %wait
late:
  atomicrmw sub ptr %busy, i64 1 seq_cst
  br label %wait
exit:
  atomicrmw sub ptr %busy, i64 1 seq_cst
  ret ptr null
}}

; The ticks of a second, 0 where they cannot be read.
define i64 @frequency() {{
  {frequency}
}}

; Does jobs 0..jobs of a function, with whoever is free.
define void @run(ptr %control, ptr %function, ptr %args, i64 %jobs) {{
entry:
  %workers.at = {workers}
  %workers = load atomic i64, ptr %workers.at monotonic, align 8
  %few = icmp slt i64 %jobs, 2
  %nobody = icmp eq i64 %workers, 0
  %alone = or i1 %few, %nobody
  br i1 %alone, label %serial, label %claim
claim:
  %owner = {owner}
  %pair = cmpxchg ptr %owner, i64 0, i64 1 acq_rel monotonic
  %mine = extractvalue {{ i64, i1 }} %pair, 1
  br i1 %mine, label %open, label %serial
serial:
  %any = icmp sgt i64 %jobs, 0
  br i1 %any, label %all, label %return
all:
  call void %function(ptr %args, i64 0, i64 %jobs)
  br label %return
return:
  ret void
open:
  %next = {next}
  %function.at = {function}
  %args.at = {args}
  %jobs.at = {jobs}
  %block.at = {block}
  %rounding.at = {rounding}
  %sleepers.at = {sleepers}
  %busy = {busy}
  %threads = add i64 %workers, 1
  %blocks = mul i64 %threads, {blocks}
  %share = udiv i64 %jobs, %blocks
  %small = icmp eq i64 %share, 0
  %size = select i1 %small, i64 1, i64 %share
  %mode = call i64 @rounding()
  store ptr %function, ptr %function.at
  store ptr %args, ptr %args.at
  store i64 %jobs, ptr %jobs.at
  store i64 %size, ptr %block.at
  store i64 %mode, ptr %rounding.at
  store i64 0, ptr %next
  atomicrmw add ptr %control, i64 1 seq_cst
  %sleepers = load atomic i64, ptr %sleepers.at seq_cst, align 8
  %asleep = icmp sgt i64 %sleepers, 0
  br i1 %asleep, label %wake, label %join
wake:
  %others = add i64 %jobs, -1
  %fewer = icmp slt i64 %others, %sleepers
  %needed = select i1 %fewer, i64 %others, i64 %sleepers
  %count = trunc i64 %needed to i32
  call void @wake(ptr %control, i32 %count)
  br label %join
join:
  call void @drain(ptr %control)
  atomicrmw add ptr %control, i64 1 seq_cst
  %start = call i64 @ticks()
  %patience.at = {patience}
  %patience = load i64, ptr %patience.at
  br label %watch
watch:
  %inside = load atomic i64, ptr %busy seq_cst, align 8
  %empty = icmp eq i64 %inside, 0
  br i1 %empty, label %close, label %linger
linger:
  call void @pause()
  %now = call i64 @ticks()
  %waited = sub i64 %now, %start
  %more = icmp slt i64 %waited, %patience
  br i1 %more, label %watch, label %yield
yield:
  ; A worker may have lost its core in the middle of a job.
  call i32 @sched_yield()
  br label %watch
close:
  store atomic i64 0, ptr %owner release, align 8
  ret void
}}

; Ends all workers, then starts as many as wanted, or as the system gives. Returns how many there
; are now; -1 when the pool is in use, and nothing was changed.
define i64 @resize(ptr %control, i64 %wanted, i64 %ticks) {{
entry:
  %handles = {handles}
  %owner = {owner}
  %stop = {stop}
  %workers.at = {workers}
  %patience.at = {patience}
  %pair = cmpxchg ptr %owner, i64 0, i64 1 acq_rel monotonic
  %mine = extractvalue {{ i64, i1 }} %pair, 1
  br i1 %mine, label %end, label %used
used:
  ret i64 -1
end:
  %workers = load i64, ptr %workers.at
  store atomic i64 1, ptr %stop release, align 8
  atomicrmw add ptr %control, i64 1 seq_cst
  call void @wake(ptr %control, i32 2147483647)
  br label %ended
ended:
  %left = phi i64 [ %workers, %end ], [ %last, %join ]
  %some = icmp sgt i64 %left, 0
  br i1 %some, label %join, label %begin
join:
  %last = add i64 %left, -1
  %place = getelementptr i64, ptr %handles, i64 %last
  %handle = load i64, ptr %place
  call i32 @pthread_join(i64 %handle, ptr null)
  br label %ended
begin:
  store i64 0, ptr %stop
  store i64 %ticks, ptr %patience.at
  store atomic i64 0, ptr %control seq_cst, align 8
  br label %begun
begun:
  %count = phi i64 [ 0, %begin ], [ %next, %create ]
  %more = icmp slt i64 %count, %wanted
  br i1 %more, label %create, label %done
create:
  %next = add i64 %count, 1
  %spot = getelementptr i64, ptr %handles, i64 %count
  %failed = call i32 @pthread_create(ptr %spot, ptr null, ptr @worker, ptr %control)
  %no = icmp ne i32 %failed, 0
  br i1 %no, label %done, label %begun
done:
  store atomic i64 %count, ptr %workers.at seq_cst, align 8
  store atomic i64 0, ptr %owner release, align 8
  ret i64 %count
}}

; In the child of a fork, which has no workers: the words as new.
define void @forget(ptr %control) {{
  %owner = {owner}
  %busy = {busy}
  %sleepers = {sleepers}
  %stop = {stop}
  %workers = {workers}
  store i64 0, ptr %busy
  store i64 0, ptr %sleepers
  store i64 0, ptr %stop
  store i64 0, ptr %workers
  store i64 0, ptr %control
  store atomic i64 0, ptr %owner seq_cst, align 8
  ret void
}}
"""

SERIAL = """
define void @run(ptr %control, ptr %function, ptr %args, i64 %jobs) {
  %any = icmp sgt i64 %jobs, 0
  br i1 %any, label %all, label %return
all:
  call void %function(ptr %args, i64 0, i64 %jobs)
  br label %return
return:
  ret void
}
"""

FUTEX_PARKING = """
declare i64 @syscall(i64, ...)

; Sleeps while the epoch's lower half is `seen`.
define internal void @park(ptr %control, i32 %seen) {{
  call i64 (i64, ...) @syscall(i64 {futex}, ptr %control, i32 128, i32 %seen, ptr null)
  ret void
}}

define internal void @wake(ptr %control, i32 %count) {{
  call i64 (i64, ...) @syscall(i64 {futex}, ptr %control, i32 129, i32 %count)
  ret void
}}
"""

CONDITION_PARKING = """
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)

; Sleeps while the epoch's lower half is `seen`.
define internal void @park(ptr %control, i32 %seen) {{
entry:
  %mutex = {mutex}
  %condition = {cond}
  call i32 @pthread_mutex_lock(ptr %mutex)
  br label %look
look:
  %epoch = load atomic i32, ptr %control acquire, align 8
  %same = icmp eq i32 %epoch, %seen
  br i1 %same, label %sleep, label %up
sleep:
  call i32 @pthread_cond_wait(ptr %condition, ptr %mutex)
  br label %look
up:
  call i32 @pthread_mutex_unlock(ptr %mutex)
  ret void
}}

define internal void @wake(ptr %control, i32 %count) {{
  %mutex = {mutex}
  %condition = {cond}
  call i32 @pthread_mutex_lock(ptr %mutex)
  call i32 @pthread_cond_broadcast(ptr %condition)
  call i32 @pthread_mutex_unlock(ptr %mutex)
  ret void
}}
"""
