#include "api/schemas/schemas.h"

namespace mainstay::api {
namespace {

constexpr std::string_view kSchemas = R"json(
 "agent": {
  "type": "object",
  "properties": {
   "name": {"type": "string"}, "spec": {"$ref": "#/components/schemas/text_or_null"},
   "kind": {"type": "string", "enum": ["link", "exec", "external"]},
   "state": {
    "type": "string",
    "enum": [
     "stopped", "starting", "healthy", "degraded", "unhealthy", "draining", "backoff",
     "failed"
    ]
   },
   "reason": {"type": "string"}, "incarnation": {"type": "integer"},
   "pid": {"type": ["integer", "null"]},
   "capabilities": {"type": "array", "items": {"type": "string"}},
   "serves": {
    "description": "Those of the capabilities that it has a handler for; none before its hello",
    "type": "array", "items": {"type": "string"}
   },
   "labels": {"$ref": "#/components/schemas/labels"},
   "endpoint": {"$ref": "#/components/schemas/text_or_null"}, "slots": {"type": "integer"},
   "busy": {"type": "integer"}, "linked": {"type": "boolean"},
   "sdk": {"$ref": "#/components/schemas/text_or_null"}, "restarts": {"type": "integer"},
   "error_count": {"type": "integer"},
   "last_error": {"$ref": "#/components/schemas/text_or_null"},
   "last_error_at": {"$ref": "#/components/schemas/time_or_null"},
   "started_at": {"$ref": "#/components/schemas/time_or_null"},
   "last_exit": {
    "oneOf": [
     {
      "type": "object",
      "properties": {
       "at": {"$ref": "#/components/schemas/time_or_null"},
       "code": {"type": ["integer", "null"]}, "signal": {"type": ["integer", "null"]},
       "core_dumped": {"type": "boolean"}, "out_of_memory": {"type": "boolean"}
      },
      "additionalProperties": false,
      "required": ["at", "code", "signal", "core_dumped", "out_of_memory"]
     },
     {"type": "null"}
    ]
   },
   "lease_until": {"$ref": "#/components/schemas/time_or_null"}
  },
  "additionalProperties": false,
  "required": [
   "name", "spec", "kind", "state", "reason", "incarnation", "pid", "capabilities", "serves",
   "labels", "endpoint", "slots", "busy", "linked", "sdk", "restarts", "error_count", "last_error",
   "last_error_at", "started_at", "last_exit", "lease_until"
  ]
 },
 "agent_list": {
  "type": "object",
  "properties": {"agents": {"type": "array", "items": {"$ref": "#/components/schemas/agent"}}},
  "additionalProperties": false, "required": ["agents"]
 },
 "agent_request": {
  "type": "object",
  "properties": {
   "name": {"type": "string", "minLength": 1, "maxLength": 63},
   "endpoint": {"type": "string", "minLength": 1, "maxLength": 2048},
   "capabilities": {"type": "array", "items": {"type": "string"}},
   "labels": {"$ref": "#/components/schemas/labels"},
   "lease": {"$ref": "#/components/schemas/duration"}
  },
  "additionalProperties": false, "required": ["name", "endpoint"]
 },
 "renew_request": {
  "type": "object", "properties": {"lease": {"$ref": "#/components/schemas/duration"}},
  "additionalProperties": false
 },
 "fleet": {
  "type": "object",
  "properties": {
   "fleet": {"type": "string"}, "at": {"$ref": "#/components/schemas/time"},
   "ready": {"type": "boolean"}, "stopping": {"type": "boolean"},
   "agents": {
    "type": "object",
    "properties": {
     "total": {"type": "integer"}, "stopped": {"type": "integer"},
     "starting": {"type": "integer"}, "healthy": {"type": "integer"},
     "degraded": {"type": "integer"}, "unhealthy": {"type": "integer"},
     "draining": {"type": "integer"}, "backoff": {"type": "integer"},
     "failed": {"type": "integer"}
    },
    "additionalProperties": false,
    "required": [
     "total", "stopped", "starting", "healthy", "degraded", "unhealthy", "draining", "backoff",
     "failed"
    ]
   },
   "work": {
    "type": "object",
    "properties": {
     "queued": {"type": "integer"}, "delayed": {"type": "integer"},
     "running": {"type": "integer"}
    },
    "additionalProperties": false, "required": ["queued", "delayed", "running"]
   },
   "runs": {
    "type": "object", "properties": {"open": {"type": "integer"}},
    "additionalProperties": false, "required": ["open"]
   },
   "storage": {
    "type": "object",
    "properties": {
     "writable": {"type": "boolean"}, "reason": {"$ref": "#/components/schemas/text_or_null"}
    },
    "additionalProperties": false, "required": ["writable", "reason"]
   },
   "recording": {
    "type": "object",
    "description": "Whether the folders of runs can be written; work goes on without them",
    "properties": {
     "writable": {"type": "boolean"}, "reason": {"$ref": "#/components/schemas/text_or_null"}
    },
    "additionalProperties": false, "required": ["writable", "reason"]
   },
   "last_sequence": {"type": "integer"}
  },
  "additionalProperties": false,
  "required": [
   "fleet", "at", "ready", "stopping", "agents", "work", "runs", "storage", "recording",
   "last_sequence"
  ]
 },
 "event": {
  "type": "object",
  "properties": {
   "seq": {"type": "integer"}, "at": {"$ref": "#/components/schemas/time"},
   "kind": {"type": "string"}, "subject": {"type": "string"}, "body": {"type": "object"}
  },
  "additionalProperties": false, "required": ["seq", "at", "kind", "subject", "body"]
 },
 "pipeline": {
  "type": "object",
  "properties": {
   "name": {"type": "string"}, "version": {"type": "integer"},
   "description": {"type": "string"},
   "timeout": {"$ref": "#/components/schemas/duration_or_null"},
   "stages": {
    "type": "array",
    "items": {
     "type": "object",
     "properties": {
      "name": {"type": "string"}, "capability": {"type": "string"},
      "needs": {"type": "array", "items": {"type": "string"}},
      "foreach": {"$ref": "#/components/schemas/text_or_null"}, "critical": {"type": "boolean"},
      "retries": {"type": "integer"},
      "timeout": {"$ref": "#/components/schemas/duration_or_null"}
     },
     "additionalProperties": false,
     "required": ["name", "capability", "needs", "foreach", "critical", "retries", "timeout"]
    }
   }
  },
  "additionalProperties": false,
  "required": ["name", "version", "description", "timeout", "stages"]
 },
 "pipeline_list": {
  "type": "object",
  "properties": {
   "pipelines": {"type": "array", "items": {"$ref": "#/components/schemas/pipeline"}}
  },
  "additionalProperties": false, "required": ["pipelines"]
 },
 "log_lines": {
  "type": "object",
  "properties": {
   "lines": {
    "type": "array",
    "items": {
     "oneOf": [{"type": "object"}, {"type": "string"}],
     "description": "A line of a log file; one that is no JSON object is a string"
    }
   }
  },
  "additionalProperties": false, "required": ["lines"]
 },
 "version": {
  "type": "object", "properties": {"version": {"type": "string"}, "commit": {"type": "string"}},
  "additionalProperties": false, "required": ["version", "commit"]
 },
 "health": {
  "type": "object", "properties": {"status": {"type": "string"}}, "additionalProperties": false,
  "required": ["status"]
 }
)json";

}  // namespace

std::string_view fleet_schemas() { return kSchemas; }

}  // namespace mainstay::api
