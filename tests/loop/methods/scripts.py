"""One prompt and a scripted model that solves, criticises and rewrites as told."""

from loop.dialects.chat import Chat
from loop.model import GenerateRequest, Scorer
from loop.records import Message, Prompt, Trace
from loop.runtime import run_method
from loop.scripted import ScriptedEngine

PROMPT = Prompt("p", (Message("user", "What is 2 + 2?"),), reference="4", verifier="math_answer")
SCORER = Scorer("rm-v2", "rm-v2", "reward")  # for the methods that ask one
RIGHT, WRONG = "1. 2 + 2 = 4\nAnswer: 4", "1. 2 + 2 = 5\nAnswer: 5"
SAYS_RIGHT = "Step 1: correct\nStep 2: correct\nVerdict: correct"
SAYS_WRONG = "Step 1: wrong - it is 4\nCorrection: 1. 2 + 2 = 4\nVerdict: wrong"


def asks_critique(request: GenerateRequest) -> bool:
    return "Check the solution step by step" in request.messages[-1].content


def asks_refine(request: GenerateRequest) -> bool:
    return "A reviewer checked your solution" in request.messages[-1].content


def asks_solve(request: GenerateRequest) -> bool:
    return not asks_critique(request) and not asks_refine(request)


def run(method, engine: ScriptedEngine, **settings) -> Trace:
    p = method.Settings(**settings)
    trace = run_method(
        method.improve, [PROMPT], engine, p, dialect=Chat(), model_name="m", scorer=SCORER, run_key="k"
    )[0]
    assert trace.error == ""
    return trace


def script(solve=(WRONG,), critique=(SAYS_RIGHT,), refine=(RIGHT,)) -> ScriptedEngine:
    rules = [(asks_critique, critique), (asks_refine, refine), (asks_solve, solve)]
    return ScriptedEngine(rules, reward=lambda *_: 0.5)
