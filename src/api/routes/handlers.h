// The functions behind the routes, by resource. Inner header of api.
#pragma once

#include "api/routes/routes.h"

namespace mainstay::api {

void get_healthz(ApiContext& api, const CallPtr& call);
void get_readyz(ApiContext& api, const CallPtr& call);
void get_metrics(ApiContext& api, const CallPtr& call);
void get_openapi(ApiContext& api, const CallPtr& call);
void get_version(ApiContext& api, const CallPtr& call);

void submit_work(ApiContext& api, const CallPtr& call);
void submit_batch(ApiContext& api, const CallPtr& call);
void list_work(ApiContext& api, const CallPtr& call);
void get_work(ApiContext& api, const CallPtr& call);
void cancel_work(ApiContext& api, const CallPtr& call);
void list_attempts(ApiContext& api, const CallPtr& call);

void start_run(ApiContext& api, const CallPtr& call);
void list_runs(ApiContext& api, const CallPtr& call);
void get_run(ApiContext& api, const CallPtr& call);
void cancel_run(ApiContext& api, const CallPtr& call);

void list_agents(ApiContext& api, const CallPtr& call);
void register_agent(ApiContext& api, const CallPtr& call);
void get_agent(ApiContext& api, const CallPtr& call);
void remove_agent(ApiContext& api, const CallPtr& call);
void renew_agent(ApiContext& api, const CallPtr& call);

void get_fleet(ApiContext& api, const CallPtr& call);
void stop_fleet(ApiContext& api, const CallPtr& call);
void list_pipelines(ApiContext& api, const CallPtr& call);
void stream_events(ApiContext& api, const CallPtr& call);
void read_logs(ApiContext& api, const CallPtr& call);

}  // namespace mainstay::api
