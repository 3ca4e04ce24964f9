"""What agents see of the daemon's settings, and when."""
import dataclasses
import logging

import pytest

import mainstay
from link_server import until
from mainstay import testing
from mainstay._proto import link_pb2 as pb


def test_a_process_that_outlives_the_daemon_sees_the_new_settings(agent, link):
    link.settings = pb.Settings(environment="staging", features=["a", "b"], log_level="INFO")

    @agent.capability("look")
    def look(item, ctx):
        said = ctx.settings
        return [said.environment, list(said.features), said.feature("b"), said.debug,
                said.log_level]
    agent.start()
    first = link.wait_result(link.assign("look"))
    assert first.output_json == b'["staging",["a","b"],true,false,"INFO"]'
    link.stop()
    link.settings = pb.Settings(environment="development", features=["c"], debug=True,
                                log_level="DEBUG")
    link.start()
    second = link.wait_result(link.assign("look"))
    assert second.output_json == b'["development",["c"],false,true,"DEBUG"]'
    assert agent.settings == mainstay.Settings("development", ("c",), True, "DEBUG")


def messages(link):
    return [line.message for line in link.all_of("logs")]


def test_the_log_level_follows_the_daemon_in_a_handler_that_still_runs(agent, link):
    link.settings = pb.Settings(log_level="WARNING")
    plain = logging.getLogger("test.settings")
    plain.setLevel(logging.DEBUG)

    @agent.capability("speak")
    def speak(item, ctx):
        ctx.log.info("info before")
        plain.info("plain before")
        ctx.log.warning("warning before")
        until(lambda: ctx.settings.log_level == "DEBUG")
        ctx.log.debug("debug after")
        plain.debug("plain after")
        agent.log.info("agent after")
    agent.start()
    work = link.assign("speak")
    until(lambda: "warning before" in messages(link))
    link.stop()
    link.settings = pb.Settings(log_level="DEBUG")
    link.start()
    assert not link.wait_result(work).HasField("failure")
    until(lambda: {"debug after", "agent after"} <= set(messages(link)))
    assert not {"info before", "plain before"} & set(messages(link))


def test_an_agent_with_a_level_of_its_own_keeps_it(link):
    link.settings = pb.Settings(log_level="CRITICAL")
    agent = mainstay.Agent(log_level="INFO")
    agent.start()
    until(lambda: agent.settings.log_level == "CRITICAL")
    agent.log.debug("no")
    agent.log.info("yes")
    until(lambda: "yes" in messages(link))
    agent.stop(grace=0.2)
    assert "no" not in messages(link)


def test_before_the_first_link_the_environment_says_it(link, monkeypatch):
    monkeypatch.setenv("MAINSTAY_ENV", "production")
    monkeypatch.setenv("MAINSTAY_FEATURES", "a, b")
    agent = mainstay.Agent()
    started_with = mainstay.Settings("production", ("a", "b"))
    assert agent.settings == started_with
    agent.start()  # the link's server says nothing, like an older daemon
    link.wait_connection()
    agent.log.info("said")
    until(lambda: "said" in messages(link))
    agent.stop(grace=0.2)
    assert agent.settings == started_with


def test_settings_can_be_given_in_tests_and_not_be_changed():
    agent = mainstay.Agent()
    agent.capability("look")(lambda item, ctx: ctx.settings.feature("x"))
    assert testing.call(agent, "look").output is False
    assert testing.call(agent, "look", settings=mainstay.Settings(features=("x",))).output is True
    with pytest.raises(dataclasses.FrozenInstanceError):
        agent.settings.debug = True
