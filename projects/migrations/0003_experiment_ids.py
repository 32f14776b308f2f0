import re

from django.core.validators import RegexValidator
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("projects", "0002_sign_in_stamp")]

    operations = [
        migrations.AlterField(
            model_name="project",
            name="mlflow_experiment_id",
            field=models.CharField(
                "MLflow experiment id",
                max_length=32,
                blank=True,
                validators=[RegexValidator(re.compile(r"\A(?:0|[1-9][0-9]{0,17})\Z"), "A number, as MLflow shows it.")],
                help_text="Number of the experiment to mirror to; superusers set it. "
                "Empty: MLFLOW_DEFAULT_EXPERIMENT_ID.",
            ),
        ),
    ]
