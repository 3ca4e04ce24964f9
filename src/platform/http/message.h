// HTTP requests and responses as values.
//
// A request owns one copy of its head; names and values are views into it that live as long as the
// request, also when it is moved. Header look-ups are a walk over a few fields: no map is built.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mainstay::platform {

/// ASCII only, as header names are.
bool equal_ignoring_case(std::string_view a, std::string_view b);

class HttpRequest {
 public:
  struct Field {
    std::string_view name;
    std::string_view value;
  };

  HttpRequest() = default;
  HttpRequest(HttpRequest&&) noexcept = default;
  HttpRequest& operator=(HttpRequest&&) noexcept = default;
  HttpRequest(const HttpRequest&) = delete;
  HttpRequest& operator=(const HttpRequest&) = delete;

  std::string_view method() const { return method_; }
  /// Path and query as sent, `/v1/work?limit=2`; always begins with '/'.
  std::string_view target() const { return target_; }
  /// Still percent-encoded.
  std::string_view path() const { return target_.substr(0, target_.find('?')); }
  /// Without the '?'; empty when there is none.
  std::string_view query() const {
    const std::size_t mark = target_.find('?');
    return mark == std::string_view::npos ? std::string_view() : target_.substr(mark + 1);
  }
  /// 10 or 11.
  int version() const { return version_; }
  bool keep_alive() const { return keep_alive_; }
  const std::vector<Field>& fields() const { return fields_; }
  /// The value of the first field of this name, whatever its case.
  std::optional<std::string_view> header(std::string_view name) const;
  /// How many fields have this name.
  std::size_t count(std::string_view name) const;

  const std::string& body() const { return body_; }
  std::string take_body() { return std::move(body_); }

 private:
  friend class RequestParser;

  std::vector<char> head_;  // a vector: its bytes stay where they are when it is moved
  std::string_view method_;
  std::string_view target_;
  std::vector<Field> fields_;
  std::string body_;
  int version_ = 11;
  bool keep_alive_ = true;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body = {};
  /// More headers; Content-Length, Connection and Date are made by the server.
  std::vector<std::pair<std::string, std::string>> headers = {};
  /// Close the connection after this answer.
  bool close = false;
};

/// `Not Found` for 404; `Unknown` for a number that has none.
std::string_view status_phrase(int status);

/// Appends the head of `response`, as HTTP/1.1. `length`: the body's; nullopt for a stream.
void append_response_head(std::string& out, const HttpResponse& response,
                          std::optional<std::size_t> length, bool keep_alive);

/// Percent-decoding (RFC 3986); with `plus_is_space` as in queries. nullopt for a broken escape or
/// one that gives a NUL.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);
/// Encodes all but unreserved characters.
std::string percent_encode(std::string_view text);

using QueryParameters = std::vector<std::pair<std::string, std::string>>;
/// `a=1&b` gives (a, 1), (b, ""). nullopt for a broken escape.
std::optional<QueryParameters> parse_query(std::string_view query);

}  // namespace mainstay::platform
