"""Totals that outlive the processes that count them."""

from django.db import models
from django.db.models import F


class RunningTotal(models.Model):
    """A count kept by jobs, for the metrics: a worker counts in a process that ends with the job."""

    RETENTION_DELETED = "retention_deleted_traces"
    MEANINGS = {RETENTION_DELETED: "Traces deleted because they expired."}

    name = models.CharField(max_length=40, primary_key=True)
    value = models.BigIntegerField(default=0)

    class Meta:
        app_label = "traces"

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"

    @classmethod
    def add(cls, name: str, amount: int) -> None:
        """Two statements, three the first time."""
        cls.objects.get_or_create(name=name)
        cls.objects.filter(name=name).update(value=F("value") + amount)
