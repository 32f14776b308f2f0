"""The real servers of the fixtures are what they claim to be."""

import psycopg
import redis
import requests


def test_postgresql_is_version_18(postgres_url):
    with psycopg.connect(postgres_url) as connection:
        assert connection.info.server_version // 10_000 == 18


def test_redis_is_empty_at_the_start_of_a_test(redis_url):
    client = redis.Redis.from_url(redis_url)
    assert client.dbsize() == 0
    client.set("left over", "1")


def test_redis_is_empty_again_in_the_next_test(redis_url):
    assert redis.Redis.from_url(redis_url).dbsize() == 0


def test_mlflow_answers_its_rest_api(mlflow_server):
    answer = requests.get(f"{mlflow_server}/api/2.0/mlflow/experiments/get", params={"experiment_id": "0"}, timeout=30)
    assert answer.json()["experiment"]["name"] == "Default"


def test_two_projects_have_keys_of_their_own(project, other_project, key, other_key):
    assert project.api_keys.get().key_hash != other_project.api_keys.get().key_hash
    assert key != other_key


def test_chromium_renders_a_page(page):
    page.set_content("<h1>Hello</h1>")
    assert page.inner_text("h1") == "Hello"
