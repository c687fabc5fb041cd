"""OTP-style supervision on Trio nurseries.

A supervisor is a task with a nursery; the names are those of OTP, the mechanics those of Trio:
deadlines instead of timeout arguments, cancel scopes instead of exit signals.

Where this differs from OTP:

- Giving up is an exception, and a failure for the parent: transient supervisors are restarted, too.
- Nothing can be killed against its will. A child that ignores even its cancellation is reported
  (`ChildStuck`), left behind and waited for at the very end; its siblings and its successor go on.
- References wait while a child is being restarted; `pinned()` ones behave like a pid.
- Mailboxes are bounded: a call waits for room, a cast is refused.
- A `ReplyError` is an answer and no crash. Calls of callers that have gone are not served.
- Stopping discards queued messages, unless the actor's class says `drain`.
- Calls in a circle and requests that could never be served fail at once.
- Cancelling `start_child()` undoes it. A start is limited to 30 s by default.
- The restart intensity is 3 in 5 s by default, measured in fractions of seconds; restarts may be
  spread out by a `Backoff`.
- `which_children()` lists in start order; unknown keywords are errors.
"""

from supervisor_tree.actor import Actor as Actor
from supervisor_tree.actor_ref import ActorRef as ActorRef
from supervisor_tree.backoff import Backoff as Backoff
from supervisor_tree.child_spec import BRUTAL_KILL as BRUTAL_KILL
from supervisor_tree.child_spec import AutoShutdown as AutoShutdown
from supervisor_tree.child_spec import ChildSpec as ChildSpec
from supervisor_tree.child_spec import Restart as Restart
from supervisor_tree.child_spec import Strategy as Strategy
from supervisor_tree.context import Context as Context
from supervisor_tree.dynamic_supervisor import DynamicSupervisor as DynamicSupervisor
from supervisor_tree.errors import ActorDied as ActorDied
from supervisor_tree.errors import ActorStopped as ActorStopped
from supervisor_tree.errors import AlreadyPresent as AlreadyPresent
from supervisor_tree.errors import AlreadyRegistered as AlreadyRegistered
from supervisor_tree.errors import AlreadyStarted as AlreadyStarted
from supervisor_tree.errors import CallCycle as CallCycle
from supervisor_tree.errors import CallFailed as CallFailed
from supervisor_tree.errors import CallTimeout as CallTimeout
from supervisor_tree.errors import ChildError as ChildError
from supervisor_tree.errors import ChildNotFound as ChildNotFound
from supervisor_tree.errors import ChildRestarting as ChildRestarting
from supervisor_tree.errors import ChildRunning as ChildRunning
from supervisor_tree.errors import Ignore as Ignore
from supervisor_tree.errors import InvalidSpec as InvalidSpec
from supervisor_tree.errors import MailboxFull as MailboxFull
from supervisor_tree.errors import MaxChildren as MaxChildren
from supervisor_tree.errors import NoProc as NoProc
from supervisor_tree.errors import ReplyError as ReplyError
from supervisor_tree.errors import RestartIntensityExceeded as RestartIntensityExceeded
from supervisor_tree.errors import Shutdown as Shutdown
from supervisor_tree.errors import StartFailed as StartFailed
from supervisor_tree.errors import SupervisionError as SupervisionError
from supervisor_tree.errors import SupervisorDown as SupervisorDown
from supervisor_tree.errors import TaskFailed as TaskFailed
from supervisor_tree.errors import WouldDeadlock as WouldDeadlock
from supervisor_tree.event_bus import EventStream as EventStream
from supervisor_tree.events import ChildExited as ChildExited
from supervisor_tree.events import ChildStarted as ChildStarted
from supervisor_tree.events import ChildStarting as ChildStarting
from supervisor_tree.events import ChildStuck as ChildStuck
from supervisor_tree.events import DeadLetter as DeadLetter
from supervisor_tree.events import Escalated as Escalated
from supervisor_tree.events import Event as Event
from supervisor_tree.events import MailboxFullEvent as MailboxFullEvent
from supervisor_tree.events import RestartScheduled as RestartScheduled
from supervisor_tree.events import ShutdownError as ShutdownError
from supervisor_tree.events import StartError as StartError
from supervisor_tree.events import StopRequested as StopRequested
from supervisor_tree.exit_reason import Exit as Exit
from supervisor_tree.exit_reason import ExitKind as ExitKind
from supervisor_tree.exit_reason import PastExit as PastExit
from supervisor_tree.names import Name as Name
from supervisor_tree.registry import Registry as Registry
from supervisor_tree.reply import Reply as Reply
from supervisor_tree.restart_intensity import Failure as Failure
from supervisor_tree.run import open_tree as open_tree
from supervisor_tree.run import run as run
from supervisor_tree.service import Service as Service
from supervisor_tree.service import started_task as started_task
from supervisor_tree.service import task as task
from supervisor_tree.slot import ChildInfo as ChildInfo
from supervisor_tree.slot import ChildState as ChildState
from supervisor_tree.slot import Counts as Counts
from supervisor_tree.snapshot import NodeSnapshot as NodeSnapshot
from supervisor_tree.supervisor import Supervisor as Supervisor
from supervisor_tree.task_supervisor import TaskHandle as TaskHandle
from supervisor_tree.task_supervisor import TaskSupervisor as TaskSupervisor
from supervisor_tree.timer import Down as Down
from supervisor_tree.timer import Monitor as Monitor
from supervisor_tree.timer import Timer as Timer
from supervisor_tree.tree import Tree as Tree
from supervisor_tree.tree import whereis as whereis
