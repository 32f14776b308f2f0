from django.conf import settings

from spans.semconv.reference import render


def test_the_reference_page_is_what_the_tables_say():
    page = settings.BASE_DIR / "docs" / "semantic-conventions.md"
    assert page.read_text(encoding="utf-8") == render(), "run manage.py semconvdocs"
