// Package feedback is the PatchworkMCP drop-in: a `feedback` tool for any Go MCP server.
//
// Copy feedback_tool.go and the adapter for your SDK into a directory `feedback` of your module,
// and add two lines:
//
//	import "example.com/my-server/feedback"
//
//	feedback.RegisterMCPGo(server, "my-server") // github.com/mark3labs/mcp-go: adapter_mcpgo.go
//	feedback.RegisterGoSDK(server, "my-server") // github.com/modelcontextprotocol/go-sdk: adapter_gosdk.go
//
// Anything else uses the plain parts of this file: [Tool], [Instructions], [Send], and
// [SendHeartbeat] once at start.
//
// Settings, as options or from the environment (options win):
//
//	WithURL     FEEDBACK_SIDECAR_URL  where the reports go (default http://127.0.0.1:8099)
//	WithAPIKey  FEEDBACK_API_KEY      sent as a bearer token when set
//	            FEEDBACK_SPOOL_DIR    where undelivered reports wait ("off": nowhere)
//	WithLog                           takes the log lines (default: stderr)
//
// What it promises: a call takes less than two seconds whatever the sidecar does, never fails and
// never writes to stdout. A report that cannot be delivered waits in a small file and is sent
// later under the same id; the answer to the agent says which of these happened. A program that
// ends as soon as its client has gone calls [Flush] last.
//
// Needs Go 1.24 and nothing but the standard library.
package feedback

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"
)

const version = "1.0.0"

// The texts are the same in every language and live in assets/feedback-tool.json; a test compares.
// A Go raw string cannot hold a backtick: each stands in a string of its own.
// BEGIN feedback-tool.json
const textsJSON = `{
  "version": "1",
  "name": "feedback",
  "title": "Report a gap in this server",
  "description": "Tell this server's author about a gap you just hit: a tool that does not exist, a parameter that is missing, results that are incomplete, or a format you could not use. Call it BEFORE you answer the user whenever this server's tools could not fully do what the task needed, also when you found a workaround. One call per distinct gap. Be specific: name the tools, parameters and fields, and write what an ideal tool call would have looked like. Do not call it for praise, for outages, time-outs or authentication problems, for gaps of other servers, or to hand over the user's own task. Never include secrets or personal data.",
  "instructions": "This server wants to know what it cannot do. If its tools could not fully do what the task needed (a missing tool, a missing parameter, incomplete results, a wrong format), call the ` + "`" + `feedback` + "`" + ` tool before you answer the user, even when you found a workaround. Be specific about what you needed, what you tried and what would have helped.",
  "annotations": {
    "readOnlyHint": false,
    "destructiveHint": false,
    "idempotentHint": false,
    "openWorldHint": true
  },
  "input_schema": {
    "type": "object",
    "required": ["what_i_needed", "what_i_tried"],
    "properties": {
      "what_i_needed": {
        "type": "string",
        "description": "The missing capability, specifically: what you needed to do or know, with the names of tools, parameters and fields."
      },
      "what_i_tried": {
        "type": "string",
        "description": "What you tried first and what came back: tool names, arguments, and how the result fell short. Say so if nothing came close."
      },
      "gap_type": {
        "type": "string",
        "enum": ["missing_tool", "incomplete_results", "missing_parameter", "wrong_format", "other"],
        "default": "other",
        "description": "missing_tool: no tool does it. incomplete_results: a tool answers but leaves things out. missing_parameter: a tool exists but cannot be narrowed or steered as needed. wrong_format: the data is there but not usable as it is. other: none of these."
      },
      "suggestion": {
        "type": "string",
        "description": "What would have helped, as concretely as you can: a tool signature, a parameter with its type, a field to add."
      },
      "user_goal": {
        "type": "string",
        "description": "What the user wants in the end, in one sentence, without personal data."
      },
      "resolution": {
        "type": "string",
        "enum": ["blocked", "worked_around", "partial"],
        "description": "How it ended: blocked (could not do it), worked_around (did it another way), partial (did a part of it)."
      },
      "tools_available": {
        "type": "array",
        "items": { "type": "string" },
        "description": "Names of this server's tools that you looked at."
      },
      "agent_model": {
        "type": "string",
        "description": "The model you are, if you know it."
      },
      "session_id": {
        "type": "string",
        "description": "An id of this conversation, if you have one: it groups the reports of one session."
      },
      "client_type": {
        "type": "string",
        "description": "The client you run in, if you know it (claude-code, cursor, ...)."
      }
    }
  },
  "answers": {
    "recorded": "Recorded, thank you. The author of this server will read it. Now go on and answer the user as well as you can.",
    "known": "Recorded, thank you. The author of this server says about this gap: {answer}",
    "queued": "Noted. The report could not be delivered just now; it is kept and will be sent later. Go on and answer the user as well as you can.",
    "lost": "The report could not be delivered or kept ({reason}). Go on and answer the user as well as you can.",
    "refused": "The report was not accepted: {reason}. Correct it and call feedback again, or go on without."
  }
}
`

// END feedback-tool.json

type texts struct {
	Version      string          `json:"version"`
	Name         string          `json:"name"`
	Title        string          `json:"title"`
	Description  string          `json:"description"`
	Instructions string          `json:"instructions"`
	Annotations  Annotations     `json:"annotations"`
	InputSchema  json.RawMessage `json:"input_schema"`
	Answers      struct{ Recorded, Known, Queued, Lost, Refused string }
}

// Annotations are the hints of MCP about what a tool does.
type Annotations struct {
	ReadOnlyHint    bool `json:"readOnlyHint"`
	DestructiveHint bool `json:"destructiveHint"`
	IdempotentHint  bool `json:"idempotentHint"`
	OpenWorldHint   bool `json:"openWorldHint"`
}

// ToolDefinition is a tool as tools/list shows it.
type ToolDefinition struct {
	Name        string          `json:"name"`
	Title       string          `json:"title"`
	Description string          `json:"description"`
	InputSchema json.RawMessage `json:"inputSchema"`
	Annotations Annotations     `json:"annotations"`
}

var (
	text = readTexts()

	// Tool is what tools/list shows, for servers that keep their own list.
	Tool = ToolDefinition{text.Name, text.Title, text.Description, text.InputSchema, text.Annotations}

	// Instructions belong into the server's own: agents tend to ignore a tool that is not mentioned there.
	Instructions = text.Instructions
)

func readTexts() (read texts) {
	if err := json.Unmarshal([]byte(textsJSON), &read); err != nil {
		panic("feedback: the texts in this file are damaged: " + err.Error())
	}
	return read
}

const (
	defaultURL        = "http://127.0.0.1:8099"
	connectTime       = 500 * time.Millisecond
	callTime          = 1400 * time.Millisecond // the network's share of a call; the rest is for the SDK and the disk
	retryPause        = 150 * time.Millisecond
	backgroundTime    = 10 * time.Second
	firstBackoff      = time.Second
	longestBackoff    = 5 * time.Minute
	longestRetryAfter = time.Hour
	heartbeatDelay    = time.Second
	heartbeatEvery    = time.Hour
	answerMaxBytes    = 1 << 20
	spoolMaxBytes     = 1 << 20
	spoolMaxLines     = 500
	lockTime          = 100 * time.Millisecond
	logLinesWaiting   = 16
	lockStale         = 5 * time.Second // of the lock that is held for moments
	drainStale        = time.Minute     // of the lock that is held while sending, and touched before each

	longMaxBytes     = 200_000
	longReadBytes    = longMaxBytes + 1<<16 // of a text of any length: what lies behind is cut anyway
	shortReadBytes   = 1 << 13
	shortMaxChars    = 500
	toolsMax         = 500
	toolMaxChars     = 200
	unknownFieldsMax = 20
	cutMark          = "…[cut]"
)

var (
	longFields  = []string{"what_i_needed", "what_i_tried", "suggestion", "user_goal"}
	shortFields = []string{"gap_type", "resolution", "agent_model", "session_id", "client_type", "client_version"}
	ownFields   = []string{"id", "server_name", "drop_in", "sdk", "texts_version"}
	required    = []string{"what_i_needed", "what_i_tried"}
)

// ProcessSession can stand in for a session on stdio, where one process serves one conversation.
var ProcessSession = newUUID()

// Facts are what the server itself knows about a call. They outrank what the agent says about itself.
type Facts struct {
	ClientType     string
	ClientVersion  string
	SessionID      string
	ToolsAvailable []string

	FallbackSession string // used where neither the SDK nor the agent has one
}

// Option is a setting that outranks the environment.
type Option func(*settings)

type settings struct {
	url, apiKey string
	log         func(line string)
}

// WithURL says where the reports go.
func WithURL(url string) Option { return func(s *settings) { s.url = url } }

// WithAPIKey sets the bearer token.
func WithAPIKey(key string) Option { return func(s *settings) { s.apiKey = key } }

// WithLog takes the log lines, which go to stderr otherwise. A line must not be wrapped or quoted:
// reports are imported from logs.
func WithLog(log func(line string)) Option { return func(s *settings) { s.log = log } }

// ---------------------------------------------------------------------------------------------
// From the agent's words to a payload

// Go's expressions have no look-behind: the character before is matched and put back. Their \s is
// ASCII only.
const space = `[\s\v\x{85}\pZ]`

var (
	pemKey  = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\z)`)
	dashKey = regexp.MustCompile(`(^|[^\w-])(?:sk-[\w-]{16,}|eyJ[\w-]{4,}\.[\w-]{4,}(?:\.[\w-]*)?)`)
	wordKey = regexp.MustCompile(`(^|\W)(?:gh[oprsu]_[\w.-]{16,}|github_pat_\w{16,}|(?:AKIA|ASIA)[0-9A-Z]{16}|xox[abeprs]-[\w-]{8,}` +
		`|[rs]k_(?:live|test)_\w{16,}|(?:AIza|glpat-|ya29\.)[\w-]{20,}|(?:npm|hf)_\w{30,})`)
	bearer   = regexp.MustCompile(`(?i)\b(bearer|authorization["']?` + space + `{0,5}[=:]` + space + `{0,5}["']?(?:basic|token))` + space + `{1,5}([\w.~+/=-]{6,})`)
	assigned = regexp.MustCompile(`(?i)(?:passw(?:or)?d|passphrase|secret|api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key` +
		`|(?:access|auth|refresh|bearer)[_-]?token)` +
		`\\{0,3}["']?` + space + `{0,5}[=:]` + space + `{0,5}\\{0,3}`) // the backslashes of JSON inside of a JSON string
	typeName    = regexp.MustCompile(`(?i)^["']?(?:str|string|int|integer|bool|boolean|number|float|any|object|optional|required|none|null|list|array|text|bytes|secretstr)\b`)
	urlPassword = regexp.MustCompile(`(://[^\s/:@]{1,100}):[^\s/@]{1,200}@`)
)

// What a text must hold for an expression to match at all.
var (
	wordSigns = []string{"gho_", "ghp_", "ghr_", "ghs_", "ghu_", "github_pat_", "AKIA", "ASIA", "xox", "rk_", "sk_", "AIza",
		"glpat-", "ya29.", "npm_", "hf_"}
	bearerSigns   = []string{"bearer", "authorization"}
	assignedSigns = []string{"pass", "secret", "key", "token"}
)

// redact replaces what looks like a credential. Best effort: it catches shapes, not secrets.
func redact(s string) string {
	// A glance first, because Go's expressions are slow.
	if strings.Contains(s, "-----BEGIN") {
		s = pemKey.ReplaceAllString(s, "[redacted]")
	}
	if strings.Contains(s, "sk-") || strings.Contains(s, "eyJ") {
		s = dashKey.ReplaceAllString(s, "${1}[redacted]")
	}
	if containsAny(s, wordSigns) {
		s = wordKey.ReplaceAllString(s, "${1}[redacted]")
	}
	folded := strings.ToLower(s)
	if containsAny(folded, bearerSigns) {
		s = redactBearer(s)
	}
	if containsAny(folded, assignedSigns) {
		s = redactAssigned(s)
	}
	if strings.Contains(s, "://") {
		s = urlPassword.ReplaceAllString(s, "${1}:[redacted]@")
	}
	return s
}

func containsAny(s string, signs []string) bool {
	return slices.ContainsFunc(signs, func(sign string) bool { return strings.Contains(s, sign) })
}

// redactBearer spares "bearer token": a token has a digit early on or is long.
func redactBearer(s string) string {
	var out strings.Builder
	for {
		m := bearer.FindStringSubmatchIndex(s)
		if m == nil {
			return out.String() + s
		}
		token := s[m[4]:]
		word := token[:min(len(token), 201)]
		if end := strings.IndexFunc(word, unicode.IsSpace); end >= 0 {
			word = word[:end]
		}
		if strings.ContainsAny(word, "0123456789") || len(word) >= 20 {
			out.WriteString(s[:m[3]] + " [redacted]")
			s = s[m[5]:]
		} else {
			out.WriteString(s[:m[4]])
			s = token
		}
	}
}

// redactAssigned turns password=hunter2 into password=[redacted] and leaves login(password: str)
// alone: suggestions are often tool signatures.
func redactAssigned(s string) string {
	var out strings.Builder
	for {
		m := assigned.FindStringIndex(s)
		if m == nil {
			return out.String() + s
		}
		out.WriteString(s[:m[1]])
		s = s[m[1]:]
		if typeName.MatchString(s[:min(len(s), 20)]) {
			continue // before the value is measured: a text may be full of them
		}
		if end := valueLength(s); end > 0 {
			out.WriteString("[redacted]")
			s = s[end:]
		}
	}
}

// valueLength is the length of the quoted text or the word at the start.
func valueLength(s string) int {
	if s == "" {
		return 0
	}
	if quote := s[0]; quote == '"' || quote == '\'' {
		inside := s[1:min(len(s), 502)]
		end := strings.IndexAny(inside, string(quote)+"\n")
		if end <= 0 || inside[end] != quote {
			return 0
		}
		return end + 2
	}
	stop := func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;\"'<>(){}[]", r) }
	if end := strings.IndexFunc(s, stop); end >= 0 {
		return end
	}
	return len(s)
}

// plain is whatever an agent sent, as text that survives JSON and UTF-8, without credentials.
func plain(value any, most int) string {
	var s string
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		s = value
	default:
		var buffer bytes.Buffer
		encoder := json.NewEncoder(&buffer)
		encoder.SetEscapeHTML(false)
		if encoder.Encode(value) != nil {
			return "[unreadable]"
		}
		s = strings.TrimSuffix(buffer.String(), "\n")
	}
	s = s[:min(len(s), most)]
	return redact(strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD"))
}

// short is a text of a few words.
func short(value any) string { return cutChars(plain(value, shortReadBytes), shortMaxChars) }

func cutBytes(s string) string {
	if len(s) <= longMaxBytes {
		return s
	}
	end := longMaxBytes - len(cutMark)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + cutMark
}

func cutChars(s string, most int) string {
	for i := range s {
		if most == 0 {
			return s[:i]
		}
		most--
	}
	return s
}

// toolNames reads a list of names; agents also send it as JSON text, comma separated, or as objects.
func toolNames(value any) []string {
	var items []any
	switch value := value.(type) {
	case nil:
	case []any:
		items = value
	case []string:
		for _, item := range value {
			items = append(items, item)
		}
	case string:
		if json.Unmarshal([]byte(value), &items) != nil {
			for _, item := range strings.Split(value, ",") {
				items = append(items, item)
			}
		}
	default:
		items = []any{value}
	}
	names := []string{}
	for _, item := range items {
		if object, ok := item.(map[string]any); ok {
			if name, named := object["name"]; named {
				item = name
			}
		}
		if name := cutChars(strings.TrimSpace(plain(item, shortReadBytes)), toolMaxChars); name != "" {
			names = append(names, name)
		}
		if len(names) == toolsMax {
			break
		}
	}
	return names
}

// said reads the arguments of a call: JSON as it came, or what an SDK has made of it.
func said(arguments any) map[string]any {
	var raw []byte
	switch arguments := arguments.(type) {
	case map[string]any:
		return arguments
	case json.RawMessage:
		raw = arguments
	case []byte:
		raw = arguments
	}
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if decoder.Decode(&fields) != nil {
		return nil
	}
	return fields
}

func buildPayload(arguments any, serverName, sdk string, facts Facts) map[string]any {
	words := said(arguments)
	payload := map[string]any{}
	set := func(name, value string) {
		if value != "" {
			payload[name] = value
		}
	}
	for _, name := range longFields {
		set(name, cutBytes(plain(words[name], longReadBytes)))
	}
	for _, name := range shortFields {
		set(name, short(words[name]))
	}
	names := toolNames(facts.ToolsAvailable)
	if len(names) == 0 {
		names = toolNames(words["tools_available"])
	}
	if len(names) > 0 {
		payload["tools_available"] = names
	}
	set("client_type", short(facts.ClientType))
	set("client_version", short(facts.ClientVersion))
	set("session_id", short(facts.SessionID))
	if payload["session_id"] == nil {
		set("session_id", facts.FallbackSession)
	}
	if payload["gap_type"] == nil {
		payload["gap_type"] = "other"
	}

	known := slices.Concat(longFields, shortFields, ownFields, []string{"tools_available"})
	unknown := []string{}
	for name := range words {
		if !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown[:min(len(unknown), unknownFieldsMax)] {
		value := short(words[name])
		if assigned := name + "=0"; redact(assigned) != assigned {
			value = "[redacted]" // its name says what it is
		}
		set(cutChars(plain(name, shortReadBytes), 100), value)
	}

	// One id per report, the same in every retry: the sidecar stores it once.
	payload["id"] = newUUID()
	payload["server_name"] = cmp.Or(short(serverName), "unknown")
	payload["drop_in"] = "go/" + version
	payload["sdk"] = sdk
	payload["texts_version"] = text.Version
	return payload
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// ---------------------------------------------------------------------------------------------
// One POST

// reply says how a POST ended: a status with its JSON, or a reason why there is none.
type reply struct {
	status     int
	data       map[string]any
	reason     string
	retryAfter time.Duration
}

// stored looks at the body too: some other program may be listening on that port.
func (r reply) stored() bool {
	return (r.status == 200 || r.status == 201) && r.data["status"] == "recorded"
}

// final: the sidecar will never take this report.
func (r reply) final() bool { return r.status == 422 || r.status == 413 }

// passing is a trouble that may be gone a moment later.
func (r reply) passing() bool {
	return r.status == 0 || r.status == 408 || r.status == 429 || r.status >= 500
}

// aboutThisReport is a trouble that the next report need not share.
func (r reply) aboutThisReport() bool {
	return r.status != 0 && !slices.Contains([]int{401, 403, 404, 408, 415, 429}, r.status)
}

// detail is what the sidecar found wrong: a text, or a list of {loc, msg}.
func (r reply) detail() string {
	found, _ := r.data["detail"].(string)
	if list, ok := r.data["detail"].([]any); ok {
		lines := []string{}
		for _, item := range list {
			lines = append(lines, complaint(item))
		}
		found = strings.Join(lines, "; ")
	}
	return cutChars(strings.TrimRight(cmp.Or(found, "no reason given"), "."), 1000)
}

func complaint(item any) string {
	object, ok := item.(map[string]any)
	if !ok {
		return fmt.Sprint(item)
	}
	place := []string{}
	if loc, ok := object["loc"].([]any); ok {
		for _, part := range loc {
			if part != "body" {
				place = append(place, fmt.Sprint(part))
			}
		}
	} else if object["loc"] != nil {
		place = append(place, fmt.Sprint(object["loc"]))
	}
	if len(place) == 0 {
		return fmt.Sprint(object["msg"])
	}
	return fmt.Sprintf("%s: %v", strings.Join(place, "."), object["msg"])
}

// parseRetryAfter reads seconds or an HTTP date, as time from now.
func parseRetryAfter(value string) time.Duration {
	if seconds, err := strconv.ParseFloat(value, 64); err == nil && !math.IsNaN(seconds) {
		return time.Duration(min(max(seconds, 0), longestRetryAfter.Seconds()) * float64(time.Second))
	}
	when, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(time.Until(when), 0), longestRetryAfter)
}

// One connection for each request: a sidecar that was restarted must not meet a stale one.
var client = &http.Client{
	Transport: &http.Transport{
		DialContext:       (&net.Dialer{Timeout: connectTime}).DialContext,
		DisableKeepAlives: true,
		ForceAttemptHTTP2: false,
	},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// post sends within the time, name lookup and a trickling answer included.
func post(base, route string, body []byte, header http.Header, limit time.Duration) reply {
	target, err := url.Parse(strings.TrimSpace(base))
	if err != nil || target.Hostname() == "" || target.Scheme != "http" && target.Scheme != "https" {
		return reply{reason: "invalid_url_or_key"}
	}
	target = &url.URL{Scheme: target.Scheme, Host: target.Host, Path: strings.TrimRight(target.Path, "/") + route}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return reply{reason: "invalid_url_or_key"}
	}
	request.Header = header
	response, err := client.Do(request)
	if err != nil {
		return failed(err, connected.Load())
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, answerMaxBytes))
	if err != nil {
		return failed(err, true)
	}
	return read(response, raw)
}

func failed(err error, connected bool) reply {
	var network net.Error
	switch {
	case errors.As(err, &network) && network.Timeout():
		return reply{reason: "timeout"}
	case connected:
		return reply{reason: "connection_lost"}
	default:
		return reply{reason: "unreachable"}
	}
}

func read(response *http.Response, raw []byte) reply {
	answer := reply{status: response.StatusCode, reason: fmt.Sprintf("status_%d", response.StatusCode)}
	if json.Unmarshal(raw, &answer.data) != nil {
		answer.data = nil
	}
	if (answer.status == 200 || answer.status == 201) && !answer.stored() {
		answer.reason = "unexpected_answer"
		return answer
	}
	answer.retryAfter = parseRetryAfter(response.Header.Get("Retry-After"))
	return answer
}

// ---------------------------------------------------------------------------------------------
// The spool: reports that wait on disk

// lockFile is a lock that processes share: a file that exists while it is held and names its holder.
//
// The standard library has no file lock for every system. A holder that died on this machine, or
// that has not been heard of for too long, has lost the lock.
type lockFile struct {
	path, me string
	stale    time.Duration
}

func newLock(path string, stale time.Duration) lockFile {
	host, _ := os.Hostname()
	return lockFile{path, fmt.Sprintf("%d %s %s", os.Getpid(), newUUID(), host), stale}
}

// take gets the lock if it is free; the error says that the directory cannot be written.
func (l lockFile) take() (bool, error) {
	for range 2 {
		file, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			_, err = file.WriteString(l.me)
			return err == nil, errors.Join(err, file.Close())
		}
		if !errors.Is(err, fs.ErrExist) {
			return false, err
		}
		if !l.removeIfAbandoned() {
			return false, nil
		}
	}
	return false, nil
}

func (l lockFile) removeIfAbandoned() bool {
	holder, err := os.ReadFile(l.path)
	if err != nil {
		return true // gone meanwhile: try once more
	}
	info, err := os.Stat(l.path)
	if err != nil {
		return true
	}
	fields := strings.SplitN(string(holder), " ", 3)
	host, _ := os.Hostname()
	dead := len(fields) == 3 && fields[2] == host && !alive(fields[0])
	if !dead && time.Since(info.ModTime()) < l.stale {
		return false
	}
	// Moved before it is removed: of several processes that see it, one gets it.
	aside := l.path + "." + newUUID()
	if os.Rename(l.path, aside) != nil {
		return true
	}
	if moved, err := os.ReadFile(aside); err == nil && !bytes.Equal(moved, holder) {
		_ = os.Link(aside, l.path) // it was a new one: give it back
	}
	_ = os.Remove(aside)
	return true
}

func alive(pid string) bool {
	number, err := strconv.Atoi(pid)
	if err != nil {
		return true
	}
	process, err := os.FindProcess(number)
	if err != nil {
		return false
	}
	err = process.Signal(syscall.Signal(0))
	return !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, syscall.ESRCH)
}

// touch says that the holder is still at work.
func (l lockFile) touch() {
	now := time.Now()
	_ = os.Chtimes(l.path, now, now)
}

func (l lockFile) release() {
	if holder, err := os.ReadFile(l.path); err == nil && string(holder) == l.me {
		_ = os.Remove(l.path)
	}
}

// spool is a bounded JSON Lines file that the processes of one server share.
//
// `<name>.lockfile` guards the file and is held for moments; `<name>.drainfile` is held by the one
// process that is sending, so that the others can still add.
type spool struct{ name string }

var unusual = regexp.MustCompile(`[^A-Za-z0-9._-]`)

func newSpool(serverName string) spool {
	name := strings.TrimLeft(unusual.ReplaceAllString(serverName, "_"), ".")
	return spool{cmp.Or(name[:min(len(name), 100)], "unknown")}
}

var errNoSpool = errors.New("the spool is switched off")

// file is the path of a file that is there, or can be made: a link or a pipe in its place is no spool.
func (s spool) file(suffix string) (string, error) {
	directory := strings.TrimSpace(os.Getenv("FEEDBACK_SPOOL_DIR"))
	if strings.EqualFold(directory, "off") {
		return "", errNoSpool
	}
	if directory == "" {
		state := os.Getenv("XDG_STATE_HOME")
		if state == "" {
			home, err := os.UserHomeDir()
			if err != nil {
				return "", err
			}
			state = filepath.Join(home, ".local", "state")
		}
		directory = filepath.Join(state, "patchwork", "spool")
	}
	path := filepath.Join(directory, s.name+suffix)
	if there, err := os.Lstat(path); suffix != "" && err == nil && (!there.Mode().IsRegular() || there.Size() > 2*spoolMaxBytes) {
		return "", fmt.Errorf("%s is not a spool file", path)
	}
	return path, nil
}

// locked runs work under the lock; false when the lock could not be had in time.
func (s spool) locked(limit time.Duration, work func(path string) error) (bool, error) {
	path, err := s.file(".jsonl")
	if err != nil {
		return false, err
	}
	lockPath, err := s.file(".lockfile")
	if err != nil {
		return false, err
	}
	lock := newLock(lockPath, lockStale)
	giveUp := time.Now().Add(limit)
	for {
		held, err := lock.take()
		if err != nil {
			return false, err
		}
		if held {
			defer lock.release()
			return true, work(path)
		}
		if time.Now().After(giveUp) {
			return false, nil
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// draining takes the lock of the process that sends, if it is free.
func (s spool) draining() (lockFile, bool, error) {
	path, err := s.file(".drainfile")
	if err != nil {
		return lockFile{}, false, err
	}
	lock := newLock(path, drainStale)
	held, err := lock.take()
	return lock, held, err
}

var errFull = errors.New("the spool is full")

// add keeps a report; it returns the reason why not, if not.
func (s spool) add(reason string, payload json.RawMessage, limit time.Duration) string {
	line, err := json.Marshal(entry{reason, payload, time.Now().UTC().Format("2006-01-02T15:04:05-07:00")})
	if err != nil {
		return "no_spool"
	}
	path, err := s.file("")
	if err != nil || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return "no_spool"
	}
	held, err := s.locked(limit, func(path string) error {
		before, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if len(before) > 0 && before[len(before)-1] != '\n' {
			line = slices.Concat([]byte("\n"), line) // a writer died in the middle of a line
		}
		if len(before)+len(line)+1 > spoolMaxBytes || bytes.Count(before, []byte("\n")) >= spoolMaxLines {
			return errFull
		}
		return appendLine(path, line)
	})
	switch {
	case errors.Is(err, errFull):
		return "spool_full"
	case err != nil:
		return "no_spool"
	case !held:
		return "spool_busy"
	}
	return ""
}

type entry struct {
	Reason   string          `json:"reason"`
	Payload  json.RawMessage `json:"payload"`
	QueuedAt string          `json:"queued_at"`
}

func appendLine(path string, line []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(slices.Concat(line, []byte("\n")))
	return errors.Join(err, file.Close())
}

func (s spool) read() [][]byte {
	path, err := s.file(".jsonl")
	if err != nil {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	lines := bytes.Split(data, []byte("\n"))
	return slices.DeleteFunc(lines, func(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 })
}

// settle takes a line out, or moves it to the end so that it cannot hold up the others. Where the
// lock cannot be had the line stays and is sent again later, under the same id.
func (s spool) settle(line []byte, sent bool) error {
	_, err := s.locked(backgroundTime, func(path string) error {
		rest := slices.DeleteFunc(s.read(), func(other []byte) bool { return bytes.Equal(other, line) })
		if !sent {
			rest = append(rest, line)
		}
		if len(rest) == 0 {
			return os.Remove(path)
		}
		temporary, err := s.file(".jsonl.tmp")
		if err != nil {
			return err
		}
		if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := appendLine(temporary, bytes.Join(rest, []byte("\n"))); err != nil {
			return err
		}
		return os.Rename(temporary, path)
	})
	return err
}

// setAside keeps a line that cannot be read where a person may look at it.
func (s spool) setAside(line []byte) error {
	path, err := s.file(".jsonl.bad")
	if err != nil {
		return err
	}
	if info, err := os.Stat(path); err != nil || info.Size()+int64(len(line)) < spoolMaxBytes {
		if err := appendLine(path, line); err != nil {
			return err
		}
	}
	return s.settle(line, true)
}

// payloadOf reads a spooled line: the payload as it is, and its id.
func payloadOf(line []byte) (payload json.RawMessage, id string, ok bool) {
	var waiting struct {
		Payload json.RawMessage `json:"payload"`
	}
	if !utf8.Valid(line) || json.Unmarshal(line, &waiting) != nil {
		return nil, "", false
	}
	var fields map[string]any
	if json.Unmarshal(waiting.Payload, &fields) != nil || fields == nil {
		return nil, "", false
	}
	return waiting.Payload, fmt.Sprint(cmp.Or[any](fields["id"], "")), true
}

// ---------------------------------------------------------------------------------------------
// The reporter: delivery, retries, truth

// outcome is the answer to the agent, and the log line that belongs to it.
type outcome struct {
	answer, reason string
	unsent         json.RawMessage
}

func lost(reason string) string { return strings.Replace(text.Answers.Lost, "{reason}", reason, 1) }

// reporter delivers the reports of one server name to one sidecar.
type reporter struct {
	serverName, sdk string
	settings        settings
	spool           spool
	wake            chan struct{} // holds one: a second success changes nothing

	mu        sync.Mutex
	working   bool
	notBefore time.Time       // what the last Retry-After asked for
	names     func() []string // of the server registered last
}

// logging counts the lines that wait for stderr, or for a logger of the author's own.
var logging atomic.Int32

// log drops the line where too many wait: no client has to read a server's stderr.
func (r *reporter) log(line string) {
	defer logging.Add(-1)
	if logging.Add(1) > logLinesWaiting {
		return
	}
	defer func() { _ = recover() }() // a logger that fails is not the agent's trouble
	if r.settings.log != nil {
		r.settings.log(line)
		return
	}
	_, _ = fmt.Fprintln(os.Stderr, line) // there is nowhere else to say that stderr is closed
}

func (r *reporter) logUnsent(reason string, payload json.RawMessage) {
	r.log(fmt.Sprintf("PATCHWORKMCP_UNSENT_FEEDBACK reason=%s payload=%s", reason, payload))
}

var inFlight sync.WaitGroup

// report delivers a report and returns the answer for the agent.
func (r *reporter) report(arguments any, facts Facts) (answer string) {
	inFlight.Add(1)
	defer func() {
		// The agent must never pay for a fault of this file.
		if fault := recover(); fault != nil {
			answer = lost("internal error")
			go r.log(fmt.Sprintf("patchworkmcp: the feedback tool failed: %v", fault))
			inFlight.Done()
		}
	}()
	result := r.attempt(arguments, facts)
	// After the answer, because a full stderr pipe would make it wait.
	go func() {
		defer inFlight.Done()
		if result.unsent != nil {
			r.logUnsent(result.reason, result.unsent)
		}
	}()
	return result.answer
}

func (r *reporter) attempt(arguments any, facts Facts) outcome {
	deadline := time.Now().Add(callTime)
	payload := buildPayload(arguments, r.serverName, r.sdk, facts)
	missing := []string{}
	for _, name := range required {
		if value, _ := payload[name].(string); strings.TrimSpace(value) == "" {
			missing = append(missing, name+": required")
		}
	}
	if len(missing) > 0 {
		return outcome{answer: strings.Replace(text.Answers.Refused, "{reason}", strings.Join(missing, "; "), 1)}
	}
	body, err := json.Marshal(payload)
	if err != nil {
		return outcome{answer: lost("internal error")}
	}
	return r.deliver(body, fmt.Sprint(payload["id"]), deadline)
}

func (r *reporter) deliver(body json.RawMessage, id string, deadline time.Time) outcome {
	reply := r.send(body, id, max(time.Until(deadline), connectTime))
	pause := max(retryPause, reply.retryAfter)
	if left := time.Until(deadline) - pause; reply.passing() && left > connectTime {
		time.Sleep(pause)
		reply = r.send(body, id, left)
	}

	switch {
	case reply.stored():
		r.startWorker(true)
		known, _ := reply.data["known_answer"].(string)
		if known = strings.TrimSpace(known); known != "" {
			return outcome{answer: strings.Replace(text.Answers.Known, "{answer}", known, 1)}
		}
		return outcome{answer: text.Answers.Recorded}
	case reply.status == 422:
		return outcome{answer: strings.Replace(text.Answers.Refused, "{reason}", reply.detail(), 1)}
	case reply.status == 413:
		return outcome{lost("it is too large for the sidecar"), reply.reason, body}
	}
	// Others may be at it too: what is left of the time is well spent.
	if notKept := r.spool.add(reply.reason, body, max(time.Until(deadline), lockTime)); notKept != "" {
		return outcome{lost(reply.reason + ", " + notKept), reply.reason + "," + notKept, body}
	}
	r.waitAtLeast(reply.retryAfter)
	r.startWorker(false)
	return outcome{text.Answers.Queued, reply.reason, body}
}

func (r *reporter) send(body []byte, id string, limit time.Duration) reply {
	return r.post("/api/feedback", body, limit, id)
}

func (r *reporter) post(route string, body []byte, limit time.Duration, id string) reply {
	// Read on each use: many servers load their .env file after they have started.
	target := cmp.Or(r.settings.url, os.Getenv("FEEDBACK_SIDECAR_URL"), defaultURL)
	key := strings.TrimSpace(cmp.Or(r.settings.apiKey, os.Getenv("FEEDBACK_API_KEY")))
	header := http.Header{}
	header.Set("Content-Type", "application/json")
	header.Set("User-Agent", "patchwork-drop-in-go/"+version)
	if id != "" {
		header.Set("Idempotency-Key", id)
	}
	if key != "" {
		header.Set("Authorization", "Bearer "+key)
	}
	return post(target, route, body, header, limit)
}

// -- in the background

func (r *reporter) waitAtLeast(pause time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notBefore = time.Now().Add(pause)
}

// startWorker makes sure that somebody empties the spool; wake: now rather than after a pause.
func (r *reporter) startWorker(wake bool) {
	if len(r.spool.read()) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.working {
		r.working = true
		go r.work()
	}
	if wake {
		select {
		case r.wake <- struct{}{}:
		default: // it is awake already
		}
	}
}

func (r *reporter) work() {
	pause := firstBackoff
	for {
		// Half to full length, so that the servers of a machine don't knock in step.
		wait := time.Duration(float64(pause) * (0.5 + mathrand.Float64()/2))
		r.mu.Lock()
		wait = max(wait, time.Until(r.notBefore))
		r.mu.Unlock()
		select {
		case <-r.wake:
			pause = firstBackoff
		case <-time.After(wait):
			pause = min(pause*2, longestBackoff)
		}
		reply, err := r.drain()
		if err != nil {
			r.log(fmt.Sprintf("patchworkmcp: the spool of undelivered feedback cannot be worked on: %v", err))
		} else {
			r.waitAtLeast(reply.retryAfter)
		}
		if r.finished() {
			return
		}
	}
}

func (r *reporter) finished() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.working = len(r.spool.read()) > 0
	return !r.working
}

// drain sends what waits, oldest first; it returns the reply that made it stop, if one did.
func (r *reporter) drain() (reply, error) {
	lock, mine, err := r.spool.draining()
	if err != nil || !mine {
		return reply{}, err // another process of this server is at it
	}
	defer lock.release()
	for _, line := range r.spool.read() {
		lock.touch()
		payload, id, ok := payloadOf(line)
		if !ok {
			if err := r.spool.setAside(line); err != nil {
				return reply{}, err
			}
			continue
		}
		reply := r.send(payload, id, backgroundTime)
		settled := reply.stored() || reply.final()
		if reply.final() {
			r.logUnsent(reply.reason, payload)
		}
		if settled || reply.aboutThisReport() {
			if err := r.spool.settle(line, settled); err != nil {
				return reply, err
			}
		}
		if !settled {
			return reply, nil
		}
	}
	return reply{}, nil
}

// heartbeatLater tells the sidecar that this server is there, a moment later, in the background, and
// now and then again.
func (r *reporter) heartbeatLater(names func() []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.names == nil { // servers that are made for each session share one heart
		go r.beat()
	}
	r.names = names
}

func (r *reporter) beat() {
	// Servers usually go on registering tools after this line of their code.
	time.Sleep(heartbeatDelay)
	backoff := firstBackoff
	for {
		// The sidecar may be started after the server; and one that was heard is missed when it falls silent.
		pause, next := backoff, min(backoff*2, heartbeatEvery)
		if r.heartbeat() {
			pause, next = heartbeatEvery, firstBackoff
		}
		backoff = next
		time.Sleep(time.Duration(float64(pause) * (0.5 + mathrand.Float64()/2)))
	}
}

func (r *reporter) heartbeat() (heard bool) {
	defer func() { _ = recover() }() // best effort, and the author's own code may be at fault
	r.startWorker(false)             // for what an earlier process left behind
	r.mu.Lock()
	list := r.names
	r.mu.Unlock()
	names := toolNames(list())
	body, err := json.Marshal(map[string]any{
		"server_slug": r.serverName,
		"tool_count":  len(names),
		"tool_names":  names,
		"drop_in":     "go/" + version,
		"sdk":         r.sdk,
	})
	if err != nil {
		return false
	}
	status := r.post("/api/v1/heartbeat/", body, backgroundTime, "").status
	return status == 200 || status == 201
}

var (
	reportersMu sync.Mutex
	reporters   = map[[4]string]*reporter{}
)

// reporterFor gives one reporter, and so one background worker, per server name and sidecar.
func reporterFor(serverName, sdk string, options []Option) *reporter {
	set := settings{}
	for _, option := range options {
		option(&set)
	}
	serverName = cmp.Or(serverName, "unknown")
	key := [4]string{serverName, sdk, set.url, set.apiKey}
	reportersMu.Lock()
	defer reportersMu.Unlock()
	if reporters[key] == nil {
		reporters[key] = &reporter{
			serverName: serverName, sdk: sdk, settings: set,
			spool: newSpool(serverName), wake: make(chan struct{}, 1),
		}
	}
	return reporters[key]
}

// sdkVersion names a module and the version of it in this program.
func sdkVersion(module string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range info.Deps {
			if dependency.Path == module {
				return module + " " + strings.TrimPrefix(dependency.Version, "v")
			}
		}
	}
	return module + " unknown"
}

// withInstructions adds the text to a server's own, once.
func withInstructions(present string) string {
	if strings.Contains(present, Instructions) {
		return present
	}
	return strings.TrimPrefix(present+"\n\n"+Instructions, "\n\n")
}

// ---------------------------------------------------------------------------------------------
// Public: plain functions

// Send delivers a report and returns the answer for the agent. It takes less than two seconds.
//
// arguments is what the agent sent: a map[string]any, or JSON as json.RawMessage or []byte.
func Send(arguments any, serverName string, facts Facts, options ...Option) string {
	return reporterFor(serverName, "none", options).report(arguments, facts)
}

// SendHeartbeat tells the sidecar, in the background, which tools this server has.
func SendHeartbeat(serverName string, toolNames []string, options ...Option) {
	reporterFor(serverName, "none", options).heartbeatLater(func() []string { return toolNames })
}

// Flush waits for the calls that are under way, two seconds at most. Go ends a program without
// looking at what its goroutines do: a report that is on its way at that moment is lost.
func Flush() {
	done := make(chan struct{})
	go func() {
		inFlight.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(2 * time.Second):
	}
}
