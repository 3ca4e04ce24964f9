#include "store/reader_pool.h"

#include <utility>

namespace mainstay::store {

ReaderPool::ReaderPool(Database::Place place, std::size_t threads, std::size_t max_waiting)
    : place_(std::move(place)), connections_(threads), pool_("ms-reader", threads, max_waiting) {}

bool ReaderPool::read(Job job) {
  return pool_.submit([this, job = std::move(job)](std::size_t thread) {
    Result<platform::SqliteConnection*> db = connection(thread);
    if (!db) return job(std::move(db));
    Result<void> begun = (*db)->execute("BEGIN");
    if (!begun) {
      connections_[thread].close();  // opened anew by the next job
      return job(std::move(begun).error());
    }
    job(*db);
    // Ends the transaction whatever the job did; a connection that cannot is of no more use.
    if (!(*db)->execute("COMMIT")) connections_[thread].close();
  });
}

Result<platform::SqliteConnection*> ReaderPool::connection(std::size_t thread) {
  platform::SqliteConnection& db = connections_[thread];
  if (!db.is_open()) {
    Result<platform::SqliteConnection> opened = Database::open_reader(place_);
    if (!opened) return std::move(opened).error();
    db = std::move(*opened);
  }
  return &db;
}

}  // namespace mainstay::store
