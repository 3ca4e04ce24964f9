// Where the Python SDK lies, so that agents can `import mainstay` without installing anything.
#pragma once

#include <string>

namespace mainstay::app {

/// Beside the installed binary (../lib/mainstay/python) or in the source tree that it was built in;
/// empty when there is none: agents then need their own.
std::string find_python_sdk();

/// The absolute path of this program.
std::string own_path();

}  // namespace mainstay::app
