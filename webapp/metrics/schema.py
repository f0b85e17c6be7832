"""What the metric routes of the API take and give."""

from __future__ import annotations

from rest_framework import serializers

from webapp.iterations.models import Iteration
from webapp.metrics.models import Alarm


class ValueOut(serializers.Serializer):
    iteration = serializers.IntegerField(help_text="Its number.")
    arm = serializers.ChoiceField(Iteration.Arm.choices)
    name = serializers.CharField(help_text="`metric`, or `metric:source` where it has a value per source.")
    group = serializers.CharField(help_text="Empty: of a metric that is not measured any more.")
    value = serializers.FloatField(allow_null=True, help_text="Null: not defined; the detail says why.")
    ci95 = serializers.ListField(
        child=serializers.FloatField(), allow_null=True, help_text="[low, high], or null."
    )
    n = serializers.IntegerField(help_text="Prompts, where it is paired over prompts; else what is counted.")
    unit = serializers.CharField()
    version = serializers.IntegerField(help_text="Of its formula.")
    measured_at = serializers.DateTimeField()
    detail = serializers.DictField(required=False, help_text="With `detail=1`.")


class PageOut(serializers.Serializer):
    values = ValueOut(many=True)
    next = serializers.CharField(allow_null=True, help_text="Where to go on, or null at the end.")


class IterationValuesOut(serializers.Serializer):
    iteration = serializers.IntegerField()
    recipe = serializers.CharField()
    arm = serializers.ChoiceField(Iteration.Arm.choices)
    stage = serializers.CharField()
    status = serializers.CharField()
    values = ValueOut(many=True)


class DefinitionOut(serializers.Serializer):
    name = serializers.CharField(help_text="Ends in `:*` where there is a value per source.")
    group = serializers.CharField()
    title = serializers.CharField()
    unit = serializers.CharField()
    better = serializers.ChoiceField(["up", "down", ""], help_text="Empty: read beside others.")
    formula = serializers.CharField()
    source = serializers.CharField(  # type: ignore[assignment]  # the field's own name for where it reads
        help_text="The paper, or where else it comes from."
    )
    version = serializers.IntegerField()


class AlarmOut(serializers.Serializer):
    iteration = serializers.IntegerField()
    key = serializers.CharField()
    level = serializers.ChoiceField(Alarm.Level.choices)
    metric = serializers.CharField()
    text = serializers.CharField()
    facts = serializers.DictField(
        help_text="The values it read and the limit, as they were, and what was said, with its figures."
    )
    held = serializers.BooleanField(help_text="Its rule keeps the champion.")
    fired_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField(allow_null=True)
    seen_by = serializers.CharField(allow_null=True)
    note = serializers.CharField()
