"""Shapes of the annotation routes' requests and replies, for checking and for the OpenAPI page."""

from rest_framework import serializers as s

from webapp.annotate.models import Annotation, Regeneration, TaskKind


class NextIn(s.Serializer):
    kind = s.ChoiceField(TaskKind.choices, required=False, help_text="Only this kind of task.")
    besides = s.UUIDField(required=False, help_text="The claim being worked on: fetch the one after it.")


class DraftIn(s.Serializer):
    payload = s.DictField(help_text="The page's state; any JSON object up to 64 KiB.")
    revision = s.IntegerField(min_value=0, help_text="The draft revision this writer saw last; 0: none.")


class SubmitIn(s.Serializer):
    submit_key = s.UUIDField(
        help_text="Made once per answer by the client: a repeat returns the first result."
    )
    outcome = s.ChoiceField(Annotation.Outcome.choices, default=Annotation.Outcome.ANSWERED)
    payload = s.DictField(
        help_text="A StepCritiqueAnswer, PreferenceAnswer, CritiqueReviewAnswer or SetAside."
    )
    seconds = s.FloatField(required=False, min_value=0)
    step_seconds = s.DictField(child=s.FloatField(min_value=0), required=False)


class ReviseIn(s.Serializer):
    outcome = s.ChoiceField(Annotation.Outcome.choices, default=Annotation.Outcome.ANSWERED)
    payload = s.DictField()
    revision = s.IntegerField(min_value=1, help_text="The revision this writer saw.")


class FlagIn(s.Serializer):
    note = s.CharField(max_length=2000, help_text="For the lead's inbox.")


class FlagOut(s.Serializer):
    flag = s.IntegerField()


class SkipIn(s.Serializer):
    reason = s.CharField(max_length=200, allow_blank=True, default="")


class RegenerateIn(s.Serializer):
    step = s.IntegerField(min_value=0, help_text="The first step to write anew, counted from 0.")
    count = s.IntegerField(min_value=1, default=3, help_text="How many alternatives.")
    prefix_corrections = s.DictField(
        child=s.CharField(max_length=4000, allow_blank=True),
        default=dict,
        help_text="Earlier step -> its text as the person corrected it.",
    )

    def validate_prefix_corrections(self, value: dict[str, str]) -> dict[int, str]:
        if not all(key.isascii() and key.isdigit() and len(key) < 6 for key in value):
            raise s.ValidationError("The keys are numbers of steps, counted from 0.")
        return {int(key): text for key, text in value.items()}


class AlternativeOut(s.Serializer):
    response = s.UUIDField(help_text="To rate or choose it: a branch of the answer.")
    steps = s.ListField(child=s.CharField(), help_text="From the step asked for on.")
    html = s.ListField(child=s.CharField(), help_text="The same, marked up and sanitised.")
    text = s.CharField()
    finish = s.CharField(help_text="stop, or length when the model ran out of tokens.")
    times = s.IntegerField(help_text="How often the model wrote this text.")
    same_step = s.BooleanField(help_text="It begins with the original step again.")
    verdict = s.CharField(allow_null=True, help_text="The checker's; null where policy hides it.")


class RegenerationOut(s.Serializer):
    id = s.UUIDField()
    step = s.IntegerField()
    count = s.IntegerField()
    state = s.ChoiceField(Regeneration.State.choices)
    position = s.IntegerField(help_text="How many requests come before it.")
    words = s.CharField(help_text="The wait in words; empty when it is over.")
    items = AlternativeOut(many=True, help_text="When done: what was written, each text once.")
    partial = s.ListField(  # type: ignore[assignment]  # a field, whatever the base class has of this name
        child=s.CharField(), help_text="While it is written: the texts so far."
    )
    error = s.CharField()
    url = s.CharField(help_text="Where to look again; with /cancel after it, where to take it back.")
    live = s.CharField(help_text="Address of the stream of news about it; empty when it is over.")


class StepOut(s.Serializer):
    index = s.IntegerField()
    text = s.CharField()
    html = s.CharField(help_text="The text as clean HTML; empty where it has no markup.")


class ResponseOut(s.Serializer):
    candidate = s.IntegerField(help_text="Index to give as `winner`, whatever the display order.")
    id = s.UUIDField()
    text = s.CharField()
    finish = s.CharField(help_text="stop, or length when the model ran out of tokens.")
    steps = StepOut(many=True)


class MessageOut(s.Serializer):
    role = s.CharField()
    content = s.CharField()


class PromptOut(s.Serializer):
    text = s.CharField()
    html = s.CharField(help_text="As a step's.")
    messages = MessageOut(many=True)


class ModelCritiqueOut(s.Serializer):
    marks = s.ListField(child=s.IntegerField(allow_null=True))
    first_error = s.IntegerField(allow_null=True)
    verdict = s.CharField()
    comments = s.DictField(child=s.CharField())
    corrections = s.DictField(child=s.CharField())
    text = s.CharField()


class ReviewedCritiqueOut(ModelCritiqueOut):
    critique = s.IntegerField(help_text="Index to give as `winner`, whatever the display order.")


class GuidelinesOut(s.Serializer):
    pk = s.IntegerField()
    number = s.IntegerField()
    text = s.CharField(help_text="Markdown.")
    html = s.CharField()
    examples = s.ListField(child=s.DictField(), help_text="Worked examples: text, mark, why.")
    read = s.BooleanField(help_text="Whether the person said so of this version.")


class TodayOut(s.Serializer):
    answers = s.IntegerField(help_text="Given today in this project; the day is UTC's.")
    seconds = s.IntegerField(help_text="Spent on them.")
    quota = s.IntegerField(allow_null=True, help_text="Answers per person and day; null: no limit.")


class NoteOut(s.Serializer):
    author = s.CharField()
    text = s.CharField()
    at = s.DateTimeField()


class ReturnedOut(s.Serializer):
    annotation = s.IntegerField(help_text="Save to `annotations/<pk>`.")
    revision = s.IntegerField()
    payload = s.DictField()
    outcome = s.ChoiceField(Annotation.Outcome.choices)
    notes = NoteOut(many=True)


class GoldOut(s.Serializer):
    agrees = s.BooleanField()
    expected = s.DictField(help_text="The known answer.")
    words = s.CharField()


class DraftShown(s.Serializer):
    payload = s.DictField()
    revision = s.IntegerField()


class CriterionOut(s.Serializer):
    key = s.CharField()
    label = s.CharField()  # type: ignore[assignment]  # a field, whatever the base class has of this name
    kind = s.ChoiceField(["rating", "yesno"])
    help = s.CharField(required=False)


class QueueOut(s.Serializer):
    error_kinds = s.ListField(child=s.CharField(), help_text="What a wrong step may be called.")
    criteria = CriterionOut(many=True, help_text="What each response of a comparison is rated by.")


class ItemOut(s.Serializer):
    token = s.UUIDField()
    task = s.IntegerField()
    kind = s.ChoiceField(TaskKind.choices)
    iteration = s.IntegerField(allow_null=True)
    lease_seconds = s.IntegerField(help_text="Left until the claim expires without a sign of life.")
    prompt = PromptOut()
    reference = s.CharField(allow_null=True, help_text="Null when the policy hides it or there is none.")
    responses = ResponseOut(many=True, help_text="In display order.")
    model_critique = ModelCritiqueOut(allow_null=True)
    critiques = ReviewedCritiqueOut(many=True, help_text="Of a critique review, in display order; else [].")
    queue = QueueOut()
    guidelines = GuidelinesOut(allow_null=True)
    draft = DraftShown(allow_null=True)
    today = TodayOut()
    regenerations = RegenerationOut(many=True, help_text="Alternatives this person asked for.")
    returned = ReturnedOut(allow_null=True, help_text="An earlier answer that is open to be changed.")


class NextOut(s.Serializer):
    item = ItemOut(allow_null=True, help_text="Null: nothing waits for you.")
    waiting = s.IntegerField(help_text="Further tasks that wait for you: up to 20 counted, else estimated.")
    why = s.ChoiceField(["", "quota"], help_text="Why nothing came: quota, today's is reached.")


class MakesOut(s.Serializer):
    product = s.CharField(help_text="One of loop.curate.products.Product.")
    count = s.IntegerField()
    words = s.CharField(help_text='For people: "2 step pairs".')


class DraftOut(s.Serializer):
    revision = s.IntegerField()
    saved_at = s.DateTimeField()
    makes = MakesOut(many=True, help_text="What would be derived from the answer as it stands.")


class LeaseOut(s.Serializer):
    lease_seconds = s.IntegerField()


class RevisedOut(s.Serializer):
    annotation = s.IntegerField()
    revision = s.IntegerField()
    outcome = s.ChoiceField(Annotation.Outcome.choices)


class AnsweredOut(RevisedOut):
    gold = GoldOut(allow_null=True, help_text="How it compares with the known answer, where that is told.")
    today = TodayOut()


class RevisionShown(s.Serializer):
    payload = s.DictField()
    outcome = s.ChoiceField(Annotation.Outcome.choices)
    revision = s.IntegerField()


class ConflictOut(s.Serializer):
    code = s.ChoiceField(
        [
            "lease_lost",
            "task_closed",
            "already_answered",
            "draft_conflict",
            "revision_conflict",
            "key_reused",
            "not_here",
            "no_champion",
            "asked_enough",
        ]
    )
    detail = s.CharField()
    draft = DraftShown(required=False, help_text="draft_conflict only: the newer draft.")
    annotation = RevisionShown(required=False, help_text="revision_conflict only: the newer version.")


class InvalidOut(s.Serializer):
    problems = s.ListField(child=s.CharField())
