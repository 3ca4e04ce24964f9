#include "api/schemas/schemas.h"

namespace mainstay::api {
namespace {

constexpr std::string_view kSchemas = R"json(
 "time": {"type": "string", "format": "date-time"},
 "time_or_null": {"type": ["string", "null"], "format": "date-time"},
 "duration": {
  "type": "string", "description": "A duration such as 30s or 1m30s",
  "pattern": "^([0-9]+(d|h|m|s|ms|us))+$|^0$"
 },
 "duration_or_null": {
  "type": ["string", "null"],
  "description": "A duration such as 30s; null: none, or the setting's"
 },
 "labels": {"type": "object", "additionalProperties": {"type": "string"}},
 "text_or_null": {"type": ["string", "null"]},
 "problem": {
  "description": "RFC 9457 problem details", "type": "object",
  "properties": {
   "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
   "detail": {"type": "string"}, "code": {"type": "string"}, "retryable": {"type": "boolean"},
   "hint": {"type": "string"}, "fields": {"$ref": "#/components/schemas/labels"},
   "causes": {
    "description": "Only where the setting debug is on", "type": "array",
    "items": {
     "type": "object",
     "properties": {
      "code": {"type": "string"}, "detail": {"type": "string"},
      "fields": {"$ref": "#/components/schemas/labels"}
     },
     "additionalProperties": false, "required": ["code", "detail", "fields"]
    }
   }
  },
  "additionalProperties": false,
  "required": ["type", "title", "status", "detail", "code", "retryable", "hint", "fields"]
 },
 "work_error": {
  "type": "object",
  "properties": {
   "kind": {
    "type": "string",
    "enum": [
     "error", "timeout", "idle_timeout", "agent_lost", "refused", "cancelled", "lease_expired"
    ]
   },
   "code": {"type": "string"}, "message": {"type": "string"}, "permanent": {"type": "boolean"},
   "context": {}
  },
  "additionalProperties": false,
  "required": ["kind", "code", "message", "permanent", "context"]
 },
 "waiting": {
  "description": "Why it waits; null when it does not. Of a stage or run: all of it waits",
  "oneOf": [
   {
    "type": "object",
    "properties": {
     "reason": {
      "type": "string",
      "enum": [
       "fleet_stops", "not_offered", "no_agent", "busy", "start_after", "backoff", "due"
      ]
     },
     "sentence": {"type": "string"}
    },
    "additionalProperties": false, "required": ["reason", "sentence"]
   },
   {"type": "null"}
  ]
 },
 "work_request": {
  "type": "object",
  "properties": {
   "description": {"type": "string", "minLength": 1, "maxLength": 4096},
   "capability": {"type": "string", "minLength": 1, "maxLength": 255},
   "phase": {"type": "string", "description": "One of the setting work.phases"},
   "priority": {"type": "integer", "minimum": 0, "maximum": 9, "default": 5},
   "input": {"description": "Any JSON value; {} when left out"},
   "labels": {"$ref": "#/components/schemas/labels"},
   "timeout": {"$ref": "#/components/schemas/duration"},
   "idle_timeout": {"$ref": "#/components/schemas/duration"},
   "deadline": {"$ref": "#/components/schemas/time"},
   "start_after": {"$ref": "#/components/schemas/time"},
   "retry": {
    "type": "object",
    "properties": {
     "max_attempts": {"type": "integer", "minimum": 1, "maximum": 1000},
     "backoff_min": {"$ref": "#/components/schemas/duration"},
     "backoff_max": {"$ref": "#/components/schemas/duration"}
    },
    "additionalProperties": false
   },
   "idempotency_key": {"type": "string", "maxLength": 255}
  },
  "additionalProperties": false, "required": ["description", "capability"]
 },
 "work_batch_request": {
  "type": "object",
  "properties": {
   "work": {
    "type": "array", "items": {"$ref": "#/components/schemas/work_request"}, "minItems": 1,
    "maxItems": 1000
   }
  },
  "additionalProperties": false, "required": ["work"]
 },
 "work_accepted": {
  "type": "object",
  "properties": {
   "id": {"type": "string"},
   "state": {
    "type": "string",
    "enum": [
     "queued", "delayed", "running", "succeeded", "failed", "timed_out", "cancelled"
    ]
   },
   "duplicate": {"type": "boolean"}
  },
  "additionalProperties": false, "required": ["id", "state", "duplicate"]
 },
 "work_batch_answer": {
  "type": "object",
  "properties": {
   "results": {
    "type": "array",
    "items": {
     "oneOf": [
      {"$ref": "#/components/schemas/work_accepted"},
      {
       "type": "object", "properties": {"error": {"$ref": "#/components/schemas/problem"}},
       "additionalProperties": false, "required": ["error"]
      }
     ]
    }
   }
  },
  "additionalProperties": false, "required": ["results"]
 },
 "work_summary": {
  "type": "object",
  "properties": {
   "id": {"type": "string"},
   "state": {
    "type": "string",
    "enum": [
     "queued", "delayed", "running", "succeeded", "failed", "timed_out", "cancelled"
    ]
   },
   "description": {"type": "string"}, "capability": {"type": "string"},
   "phase": {"$ref": "#/components/schemas/text_or_null"}, "priority": {"type": "integer"},
   "labels": {"$ref": "#/components/schemas/labels"},
   "step": {
    "oneOf": [
     {
      "type": "object",
      "properties": {
       "run": {"type": "string"}, "pipeline": {"type": "string"}, "stage": {"type": "string"},
       "index": {"type": "integer"}
      },
      "additionalProperties": false, "required": ["run", "pipeline", "stage", "index"]
     },
     {"type": "null"}
    ]
   },
   "agent": {"$ref": "#/components/schemas/text_or_null"}, "epoch": {"type": "integer"},
   "attempts_used": {"type": "integer"}, "max_attempts": {"type": "integer"},
   "progress": {"type": "number"}, "created_at": {"$ref": "#/components/schemas/time"},
   "start_after": {"$ref": "#/components/schemas/time_or_null"},
   "deadline": {"$ref": "#/components/schemas/time_or_null"},
   "due_at": {"$ref": "#/components/schemas/time_or_null"},
   "started_at": {"$ref": "#/components/schemas/time_or_null"},
   "finished_at": {"$ref": "#/components/schemas/time_or_null"},
   "timeout": {"$ref": "#/components/schemas/duration_or_null"},
   "idle_timeout": {"$ref": "#/components/schemas/duration_or_null"},
   "idempotency_key": {"$ref": "#/components/schemas/text_or_null"},
   "trace_parent": {"$ref": "#/components/schemas/text_or_null"},
   "error": {"oneOf": [{"$ref": "#/components/schemas/work_error"}, {"type": "null"}]},
   "waiting": {"$ref": "#/components/schemas/waiting"}
  },
  "additionalProperties": false,
  "required": [
   "id", "state", "description", "capability", "phase", "priority", "labels", "step", "agent",
   "epoch", "attempts_used", "max_attempts", "progress", "created_at", "start_after",
   "deadline", "due_at", "started_at", "finished_at", "timeout", "idle_timeout",
   "idempotency_key", "trace_parent", "error", "waiting"
  ]
 },
 "work": {
  "type": "object",
  "properties": {
   "id": {"type": "string"},
   "state": {
    "type": "string",
    "enum": [
     "queued", "delayed", "running", "succeeded", "failed", "timed_out", "cancelled"
    ]
   },
   "description": {"type": "string"}, "capability": {"type": "string"},
   "phase": {"$ref": "#/components/schemas/text_or_null"}, "priority": {"type": "integer"},
   "labels": {"$ref": "#/components/schemas/labels"},
   "step": {
    "oneOf": [
     {
      "type": "object",
      "properties": {
       "run": {"type": "string"}, "pipeline": {"type": "string"}, "stage": {"type": "string"},
       "index": {"type": "integer"}
      },
      "additionalProperties": false, "required": ["run", "pipeline", "stage", "index"]
     },
     {"type": "null"}
    ]
   },
   "agent": {"$ref": "#/components/schemas/text_or_null"}, "epoch": {"type": "integer"},
   "attempts_used": {"type": "integer"}, "max_attempts": {"type": "integer"},
   "progress": {"type": "number"}, "created_at": {"$ref": "#/components/schemas/time"},
   "start_after": {"$ref": "#/components/schemas/time_or_null"},
   "deadline": {"$ref": "#/components/schemas/time_or_null"},
   "due_at": {"$ref": "#/components/schemas/time_or_null"},
   "started_at": {"$ref": "#/components/schemas/time_or_null"},
   "finished_at": {"$ref": "#/components/schemas/time_or_null"},
   "timeout": {"$ref": "#/components/schemas/duration_or_null"},
   "idle_timeout": {"$ref": "#/components/schemas/duration_or_null"},
   "idempotency_key": {"$ref": "#/components/schemas/text_or_null"},
   "trace_parent": {"$ref": "#/components/schemas/text_or_null"},
   "error": {"oneOf": [{"$ref": "#/components/schemas/work_error"}, {"type": "null"}]},
   "waiting": {"$ref": "#/components/schemas/waiting"},
   "input": {}, "output": {}
  },
  "additionalProperties": false,
  "required": [
   "id", "state", "description", "capability", "phase", "priority", "labels", "step", "agent",
   "epoch", "attempts_used", "max_attempts", "progress", "created_at", "start_after",
   "deadline", "due_at", "started_at", "finished_at", "timeout", "idle_timeout",
   "idempotency_key", "trace_parent", "error", "waiting", "input", "output"
  ]
 },
 "work_list": {
  "type": "object",
  "properties": {
   "work": {"type": "array", "items": {"$ref": "#/components/schemas/work_summary"}},
   "next_cursor": {"$ref": "#/components/schemas/text_or_null"}
  },
  "additionalProperties": false, "required": ["work", "next_cursor"]
 },
 "attempt": {
  "type": "object",
  "properties": {
   "epoch": {"type": "integer"}, "agent": {"type": "string"},
   "incarnation": {"type": "integer"}, "started_at": {"$ref": "#/components/schemas/time"},
   "finished_at": {"$ref": "#/components/schemas/time_or_null"},
   "outcome": {"$ref": "#/components/schemas/text_or_null"},
   "error": {"oneOf": [{"$ref": "#/components/schemas/work_error"}, {"type": "null"}]}
  },
  "additionalProperties": false,
  "required": ["epoch", "agent", "incarnation", "started_at", "finished_at", "outcome", "error"]
 },
 "attempt_list": {
  "type": "object",
  "properties": {"attempts": {"type": "array", "items": {"$ref": "#/components/schemas/attempt"}}},
  "additionalProperties": false, "required": ["attempts"]
 },
 "cancel_request": {
  "type": "object", "properties": {"reason": {"type": "string", "maxLength": 1024}},
  "additionalProperties": false
 },
 "done": {
  "type": "object", "properties": {"done": {"type": "boolean"}}, "additionalProperties": false,
  "required": ["done"]
 },
 "run_request": {
  "type": "object",
  "properties": {
   "pipeline": {"type": "string"}, "input": {"description": "Any JSON value; {} when left out"},
   "labels": {"$ref": "#/components/schemas/labels"},
   "idempotency_key": {"type": "string", "maxLength": 255}
  },
  "additionalProperties": false, "required": ["pipeline"]
 },
 "run_accepted": {
  "type": "object", "properties": {"id": {"type": "string"}, "duplicate": {"type": "boolean"}},
  "additionalProperties": false, "required": ["id", "duplicate"]
 },
 "usage": {
  "type": "object",
  "properties": {
   "prompt_tokens": {"type": "integer"}, "completion_tokens": {"type": "integer"},
   "total_tokens": {"type": "integer"}, "cached_tokens": {"type": "integer"},
   "reasoning_tokens": {"type": "integer"}, "llm_requests": {"type": "integer"},
   "api_calls": {"type": "integer"}
  },
  "additionalProperties": false,
  "required": [
   "prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "reasoning_tokens",
   "llm_requests", "api_calls"
  ]
 },
 "step": {
  "type": "object",
  "properties": {
   "stage": {"type": "string"}, "number": {"type": "integer"},
   "state": {
    "type": "string",
    "enum": [
     "waiting", "running", "succeeded", "degraded", "failed", "skipped", "cancelled"
    ]
   },
   "items_total": {"type": "integer"}, "items_done": {"type": "integer"},
   "items_failed": {"type": "integer"}, "retries": {"type": "integer"},
   "started_at": {"$ref": "#/components/schemas/time_or_null"},
   "finished_at": {"$ref": "#/components/schemas/time_or_null"},
   "usage": {"$ref": "#/components/schemas/usage"},
   "error": {"oneOf": [{"$ref": "#/components/schemas/work_error"}, {"type": "null"}]},
   "waiting": {"$ref": "#/components/schemas/waiting"}
  },
  "additionalProperties": false,
  "required": [
   "stage", "number", "state", "items_total", "items_done", "items_failed", "retries",
   "started_at", "finished_at", "usage", "error", "waiting"
  ]
 },
 "run_summary": {
  "type": "object",
  "properties": {
   "id": {"type": "string"}, "pipeline": {"type": "string"}, "version": {"type": "integer"},
   "state": {
    "type": "string",
    "enum": ["running", "succeeded", "degraded", "failed", "timed_out", "cancelled"]
   },
   "labels": {"$ref": "#/components/schemas/labels"},
   "created_at": {"$ref": "#/components/schemas/time"},
   "finished_at": {"$ref": "#/components/schemas/time_or_null"},
   "idempotency_key": {"$ref": "#/components/schemas/text_or_null"},
   "trace_parent": {"$ref": "#/components/schemas/text_or_null"},
   "error": {"oneOf": [{"$ref": "#/components/schemas/work_error"}, {"type": "null"}]}
  },
  "additionalProperties": false,
  "required": [
   "id", "pipeline", "version", "state", "labels", "created_at", "finished_at",
   "idempotency_key", "trace_parent", "error"
  ]
 },
 "run": {
  "type": "object",
  "properties": {
   "id": {"type": "string"}, "pipeline": {"type": "string"}, "version": {"type": "integer"},
   "state": {
    "type": "string",
    "enum": ["running", "succeeded", "degraded", "failed", "timed_out", "cancelled"]
   },
   "labels": {"$ref": "#/components/schemas/labels"},
   "created_at": {"$ref": "#/components/schemas/time"},
   "finished_at": {"$ref": "#/components/schemas/time_or_null"},
   "idempotency_key": {"$ref": "#/components/schemas/text_or_null"},
   "trace_parent": {"$ref": "#/components/schemas/text_or_null"},
   "error": {"oneOf": [{"$ref": "#/components/schemas/work_error"}, {"type": "null"}]},
   "waiting": {"$ref": "#/components/schemas/waiting"},
   "input": {},
   "output": {
    "description": "Once it succeeded or is degraded: by stage, of those that no other stage needs"
   },
   "steps": {"type": "array", "items": {"$ref": "#/components/schemas/step"}}
  },
  "additionalProperties": false,
  "required": [
   "id", "pipeline", "version", "state", "labels", "created_at", "finished_at",
   "idempotency_key", "trace_parent", "error", "waiting", "input", "output", "steps"
  ]
 },
 "run_list": {
  "type": "object",
  "properties": {
   "runs": {"type": "array", "items": {"$ref": "#/components/schemas/run_summary"}},
   "next_cursor": {"$ref": "#/components/schemas/text_or_null"}
  },
  "additionalProperties": false, "required": ["runs", "next_cursor"]
 }
)json";

}  // namespace

std::string_view work_schemas() { return kSchemas; }

}  // namespace mainstay::api
