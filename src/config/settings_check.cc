#include "config/settings_check.h"

#include "base/text.h"
#include "config/listen_address.h"

namespace mainstay::config {
namespace {

/// Reports at the place where the value in force was set.
void report(const Settings& settings, const SettingDecl& decl, std::string message,
            Problems& problems) {
  const Origin& origin = settings.effective(decl).origin;
  problems.error(origin.layer == Layer::variable ? "environment " + origin.source : origin.source,
                 origin.at, decl.key, std::move(message));
}

/// What `a` and `b` say does not fit. The one that was said in the higher layer is to blame (`a`
/// when it was the same): nobody can correct a built-in default.
void report_pair(const Settings& settings, const SettingDecl& a, std::string_view a_should_be,
                 const SettingDecl& b, std::string_view b_should_be, Problems& problems) {
  const bool blame_b = settings.effective(b).origin.layer > settings.effective(a).origin.layer;
  const SettingDecl& blamed = blame_b ? b : a;
  const SettingDecl& other = blame_b ? a : b;
  const Assignment& fixed = settings.effective(other);
  std::string message = "expected ";
  message.append(blame_b ? b_should_be : a_should_be).append(" ").append(other.key);
  message.append(" (").append(value_to_text(other, fixed.value)).append(", ");
  message.append(fixed.origin.to_text()).append("), got ");
  message.append(value_to_text(blamed, settings.effective(blamed).value));
  report(settings, blamed, std::move(message), problems);
}

void check_loopback(const Settings& settings, const Setting<std::string>& setting,
                    const std::string& hint, Problems& problems) {
  const auto address = parse_listen_address(settings.get(setting));
  if (!address || address->is_loopback()) return;
  report(settings, setting.decl,
         "expected a loopback address such as 127.0.0.1:" + std::to_string(address->port) +
             ", got " + quote(settings.get(setting)) + "; " + hint,
         problems);
}

}  // namespace

void check_settings(const Settings& settings, Problems& problems) {
  if (settings.get(kDebug) && settings.environment() != Environment::development) {
    report(settings, kDebug.decl,
           "expected false in the environment " + std::string(to_text(settings.environment())) +
               ", got true; debug mode is for development only",
           problems);
  }
  // Where one of two was refused, its default stands in: nobody said what would not fit.
  const bool backoffs_read = !problems.has_error(kWorkRetryBackoffMin.decl.key) &&
                             !problems.has_error(kWorkRetryBackoffMax.decl.key);
  if (backoffs_read && settings.get(kWorkRetryBackoffMax) < settings.get(kWorkRetryBackoffMin)) {
    report_pair(settings, kWorkRetryBackoffMax.decl, "at least", kWorkRetryBackoffMin.decl,
                "at most", problems);
  }
  if (!settings.get(kHttpAllowRemote)) {
    check_loopback(settings, kHttpListen,
                   "other machines may connect only with http.allow_remote: true, and in clear",
                   problems);
  }
  check_loopback(settings, kLinkListen, "agents run on this machine in this version", problems);
  const auto http = parse_listen_address(settings.get(kHttpListen));
  const auto link = parse_listen_address(settings.get(kLinkListen));
  const bool listens_read =
      !problems.has_error(kHttpListen.decl.key) && !problems.has_error(kLinkListen.decl.key);
  if (listens_read && http && link && http->clashes_with(*link)) {
    report_pair(settings, kLinkListen.decl, "another port than", kHttpListen.decl,
                "another port than", problems);
  }
}

}  // namespace mainstay::config
