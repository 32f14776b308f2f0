"""What operators add to the conventions of a project: mapping rules and prices."""

import datetime
import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models, transaction
from django.utils import timezone

from projects.models import Project
from spans.pricing import OwnPrice
from spans.semconv import operator_rules
from spans.timestamps import to_unix_nano

# Every span passes them.
MAX_RULES = 100
MAX_PRICES = 500


class ConventionsRow(models.Model):
    """A row of a project's conventions: every change of one moves the project's version, which processes compare."""

    limit = 0

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        with transaction.atomic():
            super().save(*args, **kwargs)
            self.move_version()

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            deleted = super().delete(*args, **kwargs)
            self.move_version()
        return deleted

    def move_version(self) -> None:
        project_id: int = self.project_id  # type: ignore[attr-defined]
        # No counter: after a restored backup it would give an old number to new rules.
        Project.objects.filter(pk=project_id).update(conventions_version=1 + secrets.randbelow(2**31 - 1))

    def clean(self) -> None:
        project_id: int | None = self.project_id  # type: ignore[attr-defined]
        rows = type(self)._default_manager.filter(**{"project": project_id}).exclude(pk=self.pk)
        if project_id is not None and rows.count() >= self.limit:
            raise ValidationError(f"A project has at most {self.limit} of them.")


def check_pattern(value: str) -> None:
    try:
        operator_rules.check_pattern(value)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def check_path(value: str) -> None:
    try:
        operator_rules.parse_path(value)
    except ValueError as error:
        raise ValidationError(str(error)) from None


class MappingRule(ConventionsRow):
    """Where spans of a project keep a normalized field, beside the built-in conventions (`spans.semconv`)."""

    limit = MAX_RULES

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="mapping_rules")
    name = models.CharField(max_length=100, help_text="Explanations of spans name the rule by it.")
    pattern = models.CharField(
        "attribute",
        max_length=operator_rules.MAX_PATTERN,
        validators=[check_pattern],
        help_text="Key of a span attribute, like acme.chat.id. A * stands for any characters: acme.*.id.",
    )
    json_path = models.CharField(
        "JSON path",
        max_length=300,
        blank=True,
        validators=[check_path],
        help_text='Into a value that is JSON, like usage.prompt or choices[0]["message"]. Empty: the whole value.',
    )
    field = models.CharField(max_length=50, help_text="The normalized field that the value is for.")
    value_map = models.JSONField(
        "values",
        default=dict,
        blank=True,
        help_text='What values mean: {"bot": "AGENT", "*": "CHAIN"}. Values that are not named do not apply; * names '
        "all others. Empty: values as they are.",
    )
    priority = models.IntegerField(
        default=0,
        help_text="0 and up: before the built-in conventions. Below 0: only where these find nothing. Highest first.",
    )
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["project", "-priority", "name"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="one_mapping_rule_a_name")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        if self.field not in operator_rules.FIELDS_BY_NAME:
            raise ValidationError({"field": "There is no such field."})
        if self.value_map in (None, ""):
            self.value_map = {}
        try:
            operator_rules.check_values(self.field, self.value_map)
        except ValueError as error:
            raise ValidationError({"value_map": str(error)}) from None


def check_model(value: str) -> None:
    if "*" in value[:-1] or value == "*":
        raise ValidationError("A name, or the beginning of one followed by *.")


def price_field(label: str, **options: Any) -> "models.DecimalField[Any, Any]":
    return models.DecimalField(label, max_digits=16, decimal_places=8, validators=[MinValueValidator(0)], **options)


class ModelPrice(ConventionsRow):
    """A project's own price of a model: it comes before the public list, a cost that an SDK reports before both."""

    limit = MAX_PRICES

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="model_prices")
    model = models.CharField(
        max_length=200,
        validators=[check_model],
        help_text="As the span names it, like gpt-4o, or the beginning followed by *.",
    )
    provider = models.CharField(
        max_length=100, blank=True, help_text="By its normalized name, like openai. Empty: any."
    )
    input_usd = price_field("input, USD a million tokens")
    output_usd = price_field("output, USD a million tokens")
    cached_input_usd = price_field(
        "cached input, USD a million tokens", null=True, blank=True, help_text="Empty: as input."
    )
    valid_from = models.DateField(null=True, blank=True, help_text="First day (UTC). Empty: since ever.")
    valid_to = models.DateField(null=True, blank=True, help_text="Last day (UTC). Empty: until further notice.")

    class Meta:
        ordering = ["project", "model", "-valid_from"]

    def __str__(self) -> str:
        return self.model

    def clean(self) -> None:
        super().clean()
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise ValidationError({"valid_to": "It lies before the first day."})

    def as_price(self) -> OwnPrice:
        return OwnPrice(
            self.provider,
            self.model,
            self.input_usd,
            self.output_usd,
            self.cached_input_usd,
            _midnight(self.valid_from) if self.valid_from else None,
            _midnight(self.valid_to + datetime.timedelta(days=1)) if self.valid_to else None,
        )


def _midnight(day: datetime.date) -> int:
    """Unix nanoseconds of the day's beginning, UTC."""
    return to_unix_nano(timezone.make_aware(datetime.datetime.combine(day, datetime.time()), datetime.UTC))
