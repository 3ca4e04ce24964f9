#include "sim/clients.h"

#include <fmt/format.h>

namespace mainstay::sim {
namespace {

constexpr Duration kPatience = std::chrono::seconds(3);

}  // namespace

void Clients::start(Duration mean_gap) {
  mean_gap_ = mean_gap;
  open_ = true;
  plan_next();
}

void Clients::plan_next() {
  world_.after(world_.around(mean_gap_), [this] {
    if (!open_) return;
    const std::uint64_t chance = world_.workload.next();
    const std::string key = fmt::format("key-{}", next_key_++);
    ++unanswered_;
    answered_[key] = false;
    if (chance % 10 == 0)
      start_run(key);
    else
      submit(key, chance);
    plan_next();
  });
}

void Clients::ask_again(const std::string& key, std::uint64_t chance) {
  world_.after(kPatience, [this, key, chance] {
    if (answered_[key]) return;
    if (chance == 0)
      start_run(key);
    else
      submit(key, chance);
  });
}

void Clients::submit(const std::string& key, std::uint64_t chance) {
  ask_again(key, chance);
  if (!daemon_.is_up()) return;
  model::SubmitWork command;
  command.spec.description = "simulated item " + key;
  command.spec.capability = chance % 5 == 1 ? "sim.command" : "sim.link";
  command.spec.priority = static_cast<int>(chance / 16 % 10);
  command.spec.timeout = std::chrono::seconds(30);
  command.spec.retry.max_attempts = 4;
  command.spec.idempotency_key = key;
  command.spec.request_sha256 = key;
  command.spec.input = model::Payload::of(fmt::format(R"({{"key":"{}"}})", key));
  command.known = daemon_.known_work(key);
  daemon_.command(std::move(command), [this, key](const Result<model::ReplyBody>& reply) {
    if (!reply) {
      ++ledger_.sights["submit refused"];
      return;  // asked again later
    }
    const auto& accepted = std::get<model::WorkAccepted>(*reply);
    if (accepted.duplicate) ++ledger_.sights["duplicate submit answered"];
    ledger_.acknowledged(key, accepted.id);
    if (!answered_[key]) --unanswered_;
    answered_[key] = true;
  });
}

void Clients::start_run(const std::string& key) {
  ask_again(key, 0);
  if (!daemon_.is_up()) return;
  model::StartRun command;
  command.pipeline = "sim";
  command.input = model::Payload::of(R"({"list":[1,2,3,4]})");
  command.idempotency_key = key;
  command.request_sha256 = key;
  command.known = daemon_.known_run(key);
  daemon_.command(std::move(command), [this, key](const Result<model::ReplyBody>& reply) {
    if (!reply) return;
    ledger_.run_acknowledged(key, std::get<model::RunAccepted>(*reply).id);
    if (!answered_[key]) --unanswered_;
    answered_[key] = true;
  });
}

}  // namespace mainstay::sim
