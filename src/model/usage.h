// What an attempt consumed of a model: rows that budgets and summaries rest on.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace mainstay::model {

struct Usage {
  std::string provider;
  std::string model;
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t reasoning_tokens = 0;
  /// Requests sent to a model.
  std::int64_t llm_requests = 0;
  /// Requests sent to any other API.
  std::int64_t api_calls = 0;

  void add(const Usage& other) {
    prompt_tokens = sum(prompt_tokens, other.prompt_tokens);
    completion_tokens = sum(completion_tokens, other.completion_tokens);
    cached_tokens = sum(cached_tokens, other.cached_tokens);
    reasoning_tokens = sum(reasoning_tokens, other.reasoning_tokens);
    llm_requests = sum(llm_requests, other.llm_requests);
    api_calls = sum(api_calls, other.api_calls);
  }
  std::int64_t total_tokens() const { return sum(prompt_tokens, completion_tokens); }

  /// Of two counts, which are never below zero. Agents say what they like: it stays at the most
  /// instead of passing it.
  static std::int64_t sum(std::int64_t a, std::int64_t b) {
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    return a > kMost - b ? kMost : a + b;
  }
};

}  // namespace mainstay::model
