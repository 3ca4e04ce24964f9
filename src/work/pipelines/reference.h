// Where the values of a stage's input, `foreach` and `when` come from: references by JSON Pointer
// (RFC 6901) into the run, the element of a fan-out and earlier outputs. The grammar is in
// model/pipeline.h; there is no language behind it.
//
// Lifetime: made for one stage, kept while its items are made. Outputs are parsed when first asked
// for. What cannot be resolved is Code::reference_unresolved, and the message says how far it got.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/pipeline.h"
#include "model/reference.h"
#include "platform/json/json.h"

namespace mainstay::work {

class Sources {
 public:
  /// `stage_names`: all of the pipeline; a string that names none of them is no reference.
  explicit Sources(std::vector<std::string> stage_names) : stages_(std::move(stage_names)) {}

  /// `run`, or a stage that comes before.
  void add(std::string name, model::Payload json);
  /// Every pointer into a skipped stage gives null.
  void add_skipped(std::string name);
  /// The element that `item` and `index` name; nullptr: there is no fan-out.
  void set_element(const platform::Json* element, std::int64_t index);

  /// The reference that `text` is, for this stage; nullopt for any other text.
  std::optional<model::Reference> reference(std::string_view text) const;
  /// The value, valid as long as this and the element.
  Result<const platform::Json*> find(const model::Reference& reference);
  /// Appends the value's text: as it was written if the reference names the whole.
  Result<void> append(const model::Reference& reference, std::string& out);

 private:
  struct Document {
    model::Payload text;
    std::optional<platform::Json> parsed;
    bool skipped = false;
  };

  bool is_source(std::string_view name) const;
  Result<const platform::Json*> root(std::string_view source);

  std::vector<std::string> stages_;
  std::map<std::string, Document, std::less<>> documents_;
  const platform::Json* element_ = nullptr;
  platform::Json index_;
};

/// The input of one item: `input_template` with every reference replaced by its value, and
/// {"$literal": X} by X. Code::payload_too_large when it gets over the limit of an input.
Result<std::string> resolve_input(const platform::Json& input_template, Sources& sources);

/// Whether the stage is to run. What does not resolve does not exist, and equals nothing.
Result<bool> holds(const model::Condition& condition, Sources& sources);

/// The array that `foreach` names, valid as long as `sources`; empty for a skipped stage.
Result<const platform::JsonArray*> elements_of(std::string_view foreach_reference,
                                               Sources& sources);

}  // namespace mainstay::work
