// What the routes of work and of runs have in common: pages of lists, and answers that wait for an
// end. Inner header of api; I/O threads.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/context.h"
#include "platform/json/json_text.h"

namespace mainstay::api {

/// `{"KEY": [...], "next_cursor": ID or null}` of at most `limit` of the views; there is a next
/// page when there are more. write(json, view) writes one.
template <class View, class Write>
std::string page_json(std::string_view key, const std::vector<View>& views, std::size_t limit,
                      const Write& write) {
  std::string out;
  platform::JsonWriter json(out);
  json.begin_object().key(key).begin_array();
  for (std::size_t i = 0; i < views.size() && i < limit; ++i) write(json, views[i]);
  json.end_array().key("next_cursor");
  if (views.size() > limit) {
    json.value(views[limit - 1].spec->id.to_text());
  } else {
    json.null();
  }
  json.end_object();
  return out;
}

/// Answers with what `find(api, on_found)` gives: now, or within `wait` once it has ended.
/// answer(api, call, found) replies; has_ended(view) says whether to wait at all.
template <class View, class Find, class Ended, class Answer>
void answer_when_ended(ApiContext& api, const CallPtr& call, const std::string& id, Duration wait,
                       Find find, Ended has_ended, Answer answer) {
  auto held = api.shared_from_this();
  if (wait == Duration(0)) {
    return find(api, [held, call, answer](Result<View> found) { answer(*held, call, found); });
  }
  // Who waits takes its ticket first and looks after; the connection keeps the ticket until the
  // request is answered.
  const auto ticket = api.ends->take(id);
  call->responder.on_gone([ticket] { ticket->fire(); });
  find(api, [held, call, ticket, wait, find, has_ended, answer](Result<View> found) {
    if (!found || has_ended(*found)) return answer(*held, call, found);
    ticket->arm(wait, [held, call, find, answer] {
      find(*held, [held, call, answer](Result<View> now) { answer(*held, call, now); });
    });
  });
}

}  // namespace mainstay::api
