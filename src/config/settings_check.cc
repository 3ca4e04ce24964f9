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
  const Duration least = settings.get(kWorkRetryBackoffMin);
  if (settings.get(kWorkRetryBackoffMax) < least) {
    report(settings, kWorkRetryBackoffMax.decl,
           "expected at least work.retry.backoff_min (" + base::duration_to_text(least) +
               "), got " + base::duration_to_text(settings.get(kWorkRetryBackoffMax)),
           problems);
  }
  if (!settings.get(kHttpAllowRemote)) {
    check_loopback(settings, kHttpListen,
                   "other machines may connect only with http.allow_remote: true, and in clear",
                   problems);
  }
  check_loopback(settings, kLinkListen, "agents run on this machine in this version", problems);
  const auto http = parse_listen_address(settings.get(kHttpListen));
  const auto link = parse_listen_address(settings.get(kLinkListen));
  if (http && link && http->port != 0 && http->port == link->port && http->host == link->host) {
    report(settings, kLinkListen.decl,
           "expected another port than http.listen, got " + quote(settings.get(kLinkListen)),
           problems);
  }
}

}  // namespace mainstay::config
