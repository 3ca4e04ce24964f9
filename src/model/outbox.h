// What a step of the control loop gives out, in order. Decisions append to it; the engine commits
// rows and events as one transaction, then releases replies and effects.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/effect.h"
#include "model/event.h"
#include "model/input.h"
#include "model/row.h"

namespace mainstay::model {

struct Outbox {
  std::vector<Row> rows;
  std::vector<Event> events;
  std::vector<Reply> replies;
  std::vector<Effect> effects;

  void row(Row change) { rows.push_back(std::move(change)); }
  /// `body` is JSON object text. The sequence is given later by the engine.
  void event(Wall at, std::string kind, std::string subject, std::string body) {
    events.push_back({0, at, std::move(kind), std::move(subject), std::move(body)});
  }
  void reply(ReplyToken token, Result<ReplyBody> body) {
    replies.push_back({token, std::move(body)});
  }
  void effect(Effect what) { effects.push_back(std::move(what)); }
  bool empty() const {
    return rows.empty() && events.empty() && replies.empty() && effects.empty();
  }
};

}  // namespace mainstay::model
