// Routes that stay open: events and logs.
#include <charconv>
#include <mutex>
#include <utility>

#include "api/context.h"
#include "api/routes/handlers.h"
#include "api/routes/views.h"
#include "base/text.h"
#include "platform/json/json.h"

namespace mainstay::api {
namespace {

using platform::JsonWriter;

/// Events of a long replay may be behind a slow client by this much.
constexpr std::size_t kMaxPending = 4UL * 1024 * 1024;

/// Ties a subscription to the stream that it feeds: it ends when the stream is over.
class Feed : public std::enable_shared_from_this<Feed> {
 public:
  explicit Feed(std::shared_ptr<platform::EventStream> stream) : stream_(std::move(stream)) {}

  platform::EventStream& stream() { return *stream_; }

  void hold(std::unique_ptr<Subscription> subscription) {
    {
      const std::lock_guard lock(mutex_);
      subscription_ = std::move(subscription);
    }
    stream_->on_closed([feed = shared_from_this()] { feed->drop(); });
  }

 private:
  void drop() {
    std::unique_ptr<Subscription> over;  // ends outside of the lock
    const std::lock_guard lock(mutex_);
    over = std::move(subscription_);
  }

  const std::shared_ptr<platform::EventStream> stream_;
  std::mutex mutex_;
  std::unique_ptr<Subscription> subscription_;
};

std::shared_ptr<Feed> open_feed(ApiContext& api, const CallPtr& call) {
  api.count(*call->route, 200);
  platform::EventStreamSettings settings = api.settings.http.events;
  settings.max_pending_bytes = std::max(settings.max_pending_bytes, kMaxPending);
  return std::make_shared<Feed>(call->responder.start_events(settings));
}

void send_end(Feed& feed, const Error& why) {
  std::string text;
  std::string data;
  JsonWriter json(data);
  json.begin_object().member("code", why.code_name()).member("detail", why.message()).end_object();
  platform::append_event(text, "", "end", data);
  feed.stream().send(text);
  feed.stream().end();
}

Result<std::optional<model::Sequence>> resume_point(const Call& call) {
  const auto header = call.request.header("last-event-id");
  std::string_view text = call.parameter("after");
  if (header && !header->empty()) text = *header;
  if (text.empty()) return std::optional<model::Sequence>();
  model::Sequence after = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), after);
  if (read.ec == std::errc() && read.ptr == text.data() + text.size() && after >= 0) {
    return std::optional(after);
  }
  return Error(Code::invalid_argument,
               "after: expected the sequence of an event, got \"" + base::excerpt(text, 80) + "\"");
}

Result<LogQuery> log_query(const Call& call) {
  LogQuery query;
  if (const auto run = call.parameter("run"); !run.empty()) {
    query.run = model::RunId::from_text(run);
    if (!query.run) return Error(Code::invalid_argument, "run: expected the id of a run");
  }
  query.component = call.parameter("component");
  query.agent = call.parameter("agent");
  const auto level = enum_parameter<model::LogLevel>(call, "level");
  if (!level) return level.error();
  if (!level->empty()) query.least = level->front();
  const auto lines = number_parameter(call, "lines", 100, 1, 10'000);
  if (!lines) return lines.error();
  query.lines = static_cast<int>(*lines);
  return query;
}

// Files hold what was written to them, also half a line and another program's words: what is no
// JSON object goes on as a string, and the answer stays JSON.
std::string json_of_line(const std::string& line) {
  if (platform::parse_json_object(line)) return line;
  std::string text;
  platform::append_json_string(text, line);
  return text;
}

void follow_logs(ApiContext& api, const CallPtr& call, LogQuery query) {
  const auto feed = open_feed(api, call);
  // The feed holds the subscription; the subscription must not hold the feed.
  feed->hold(api.backend.follow_logs(
      std::move(query),
      [weak = std::weak_ptr(feed)](const std::string& line) {
        const auto open = weak.lock();
        if (!open) return;
        std::string text;
        platform::append_event(text, "", "log", json_of_line(line));
        open->stream().send(text);
      },
      [weak = std::weak_ptr(feed)](const Error& why) {
        if (const auto open = weak.lock()) send_end(*open, why);
      }));
}

}  // namespace

void stream_events(ApiContext& api, const CallPtr& call) {
  const auto after = resume_point(*call);
  if (!after) return reply_error(api, call, after.error());
  EventFilter filter;
  filter.subject = call->parameter("subject");
  for (const std::string_view kind : base::split(call->parameter("kinds"), ',')) {
    if (!kind.empty()) filter.kinds.emplace_back(kind);
  }
  const auto feed = open_feed(api, call);
  feed->hold(api.backend.subscribe(
      *after, std::move(filter),
      [weak = std::weak_ptr(feed)](const model::Event& event) {
        const auto open = weak.lock();
        if (!open) return;
        std::string data;
        JsonWriter json(data);
        write_event(json, event);
        std::string text;
        platform::append_event(text, std::to_string(event.seq), event.kind, data);
        open->stream().send(text);
      },
      [weak = std::weak_ptr(feed)](const Error& why) {
        if (const auto open = weak.lock()) send_end(*open, why);
      }));
}

void read_logs(ApiContext& api, const CallPtr& call) {
  auto query = log_query(*call);
  if (!query) return reply_error(api, call, query.error());
  const std::string_view follow = call->parameter("follow");
  if (follow == "true") return follow_logs(api, call, *std::move(query));
  if (!follow.empty() && follow != "false") {
    return reply_error(api, call, Error(Code::invalid_argument, "follow: expected true or false"));
  }
  api.backend.tail_logs(*std::move(query), [api = api.shared_from_this(),
                                            call](Result<std::vector<std::string>> lines) {
    if (!lines) return reply_error(*api, call, lines.error());
    std::string out;
    JsonWriter json(out);
    json.begin_object().key("lines").begin_array();
    for (const std::string& line : *lines) json.raw(json_of_line(line));
    json.end_array().end_object();
    reply(*api, call, 200, std::move(out));
  });
}

}  // namespace mainstay::api
