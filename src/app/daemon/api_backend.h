// What the HTTP API needs, served by the real parts: commands go to the control loop, questions to
// the rows, subscriptions to the bus, log lines to the files.
//
// Threads: any. Everything it is given outlives it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "api/backend.h"
#include "app/daemon/log_followers.h"
#include "app/daemon/payload_writer.h"
#include "app/daemon/row_reader.h"
#include "app/project.h"
#include "bus/bus.h"
#include "engine/loop.h"
#include "platform/loop/event_loop.h"
#include "store/store.h"

namespace mainstay::app {

class ApiBackend : public api::Backend {
 public:
  struct Parts {
    engine::Loop& loop;
    store::Store& store;
    RowReader& reader;
    bus::Bus& bus;
    /// Where subscribers' handlers run.
    platform::EventLoop& events;
    const Project& project;
    std::shared_ptr<const model::FleetSpec> fleet;
    /// The fleet is loaded.
    const std::atomic<bool>& ready;
    /// Why runs cannot be recorded; empty: they are.
    std::function<std::string()> recording_trouble;
    std::function<void()> shut_down;
  };

  explicit ApiBackend(Parts parts)
      : parts_(std::move(parts)), payloads_(parts_.store, parts_.events) {}

  void command(model::CommandBody body, std::string principal,
               api::OnResult<model::ReplyBody> on_reply) override;
  void store_payload(std::string json, api::OnResult<model::Payload> on_stored) override;
  std::shared_ptr<const api::FleetSnapshot> fleet() override;

  void find_work(model::WorkId id, api::OnResult<api::WorkView> on_view) override;
  void list_work(api::WorkFilter filter,
                 api::OnResult<std::vector<api::WorkView>> on_views) override;
  void list_attempts(model::WorkId id,
                     api::OnResult<std::vector<model::AttemptRow>> on_rows) override;
  void find_work_key(std::string key,
                     api::OnResult<std::optional<model::SubmitWork::Known>> on_known) override;
  void find_run_key(std::string key,
                    api::OnResult<std::optional<model::StartRun::Known>> on_known) override;
  void find_run(model::RunId id, api::OnResult<api::RunView> on_view) override;
  void list_runs(api::RunFilter filter, api::OnResult<std::vector<api::RunView>> on_views) override;

  std::unique_ptr<api::Subscription> subscribe(std::optional<model::Sequence> after,
                                               api::EventFilter filter,
                                               std::function<void(const model::Event&)> on_event,
                                               std::function<void(const Error&)> on_end) override;

  void tail_logs(api::LogQuery query, api::OnResult<std::vector<std::string>> on_lines) override;
  std::unique_ptr<api::Subscription> follow_logs(api::LogQuery query,
                                                 std::function<void(const std::string&)> on_line,
                                                 std::function<void(const Error&)> on_end) override;

  void shut_down() override { parts_.shut_down(); }

 private:
  Result<std::string> log_place(platform::SqliteConnection& db, const api::LogQuery& query) const;

  Parts parts_;
  PayloadWriter payloads_;
  LogFollowers followers_;
};

}  // namespace mainstay::app
