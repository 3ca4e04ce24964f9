// The daemon of the simulation: the real Core on the real Store, stepped by the world's clock. It
// can crash before a commit, between a commit and what it releases, or between steps; with or
// without a loss of power.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/core.h"
#include "engine/row_writer.h"
#include "model/effect.h"
#include "platform/sqlite/sqlite_memory_vfs.h"
#include "sim/ledger.h"
#include "sim/world.h"
#include "store/disk/blobs.h"
#include "store/store.h"

namespace mainstay::sim {

class Daemon {
 public:
  struct Ports {
    std::function<void(const model::Effect&)> effect;
    /// The daemon is up (true) or gone.
    std::function<void(bool)> up_changed;
  };
  using OnReply = std::function<void(const Result<model::ReplyBody>&)>;

  Daemon(World& world, Ledger& ledger, std::shared_ptr<const model::FleetSpec> fleet,
         std::uint64_t seed);
  void connect(Ports ports) { ports_ = std::move(ports); }

  bool is_up() const { return core_ != nullptr; }
  void boot();
  void crash(bool lose_power);
  /// From now on each commit may be the last thing that happens, with this probability.
  void set_crash_at_commit(double probability) { crash_at_commit_ = probability; }

  /// Dropped when the daemon is down.
  void fact(model::Fact fact);
  /// The reply may never come.
  void command(model::CommandBody body, OnReply on_reply);

  /// What the API would find for a key before it hands the command in.
  std::optional<model::SubmitWork::Known> known_work(const std::string& key);
  std::optional<model::StartRun::Known> known_run(const std::string& key);

  /// Looks into the database itself: state of an item or run, empty when it is not there.
  std::string state_of_work(const model::WorkId& id);
  std::string state_of_run(const model::RunId& id);
  const engine::Core& core() const { return *core_; }
  /// Nothing lies in the mailbox.
  bool has_taken_all() const { return mailbox_.empty(); }

 private:
  void input(model::Input input);
  void take_turn();
  void listen(const model::Event& event);
  void release(model::Outbox out, std::map<model::ReplyToken, OnReply> waiting);
  void plan_tick();
  void read_missed_events();
  platform::SqliteConnection& reader();

  World& world_;
  Ledger& ledger_;
  std::shared_ptr<const model::FleetSpec> fleet_;
  Ports ports_;
  base::Random seeds_;
  platform::MemoryVfs vfs_;
  std::shared_ptr<store::MemoryBlobs> blobs_ = std::make_shared<store::MemoryBlobs>();
  engine::RowWriter rows_;
  std::unique_ptr<store::Store> store_;
  std::optional<platform::SqliteConnection> reader_;
  std::unique_ptr<engine::Core> core_;
  /// What came since the last turn: the control loop takes all that lies there at once.
  std::vector<model::Input> mailbox_;
  std::map<model::ReplyToken, OnReply> waiting_;
  model::ReplyToken next_token_ = 1;
  /// Counts lives, so that what an earlier life planned does not reach a later one.
  std::uint64_t life_ = 0;
  Mono planned_tick_ = Mono::max();
  double crash_at_commit_ = 0;
  model::Sequence seen_ = 0;
};

}  // namespace mainstay::sim
