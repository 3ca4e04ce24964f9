// What the tables say when an item or run comes with the idempotency key of an older one: it was
// accepted twice, because whoever handed it in did not look the key up. Its row is kept, without
// the key; that it happened must not go unseen.
#pragma once

#include <functional>
#include <string>

namespace mainstay::work {

/// Called on the store's writer with a sentence for the daemon's log; again when the transaction is
/// tried again.
using OnKeyConflict = std::function<void(const std::string& what)>;

inline void tell_key_conflict(const OnKeyConflict& tell, const std::string& what,
                              const std::string& key) {
  if (tell)
    tell(what + " was accepted though an older one has its idempotency key \"" + key + "\"");
}

}  // namespace mainstay::work
