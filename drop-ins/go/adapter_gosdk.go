package feedback

import (
	"context"
	"slices"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// RegisterGoSDK adds the feedback tool to a server of github.com/modelcontextprotocol/go-sdk
// 1.7 or newer, and its text to the server's instructions.
//
// A tool named "feedback" that the server has already is replaced.
func RegisterGoSDK(server *mcp.Server, serverName string, options ...Option) {
	reporter := reporterFor(serverName, sdkVersion("github.com/modelcontextprotocol/go-sdk"), options)
	watch := &goSDKWatch{reporter: reporter}
	// The SDK keeps its instructions and its tools to itself: both are only seen passing by.
	server.AddReceivingMiddleware(watch.middleware)
	destructive, openWorld := Tool.Annotations.DestructiveHint, Tool.Annotations.OpenWorldHint
	server.AddTool(&mcp.Tool{
		Name:        Tool.Name,
		Title:       Tool.Title,
		Description: Tool.Description,
		InputSchema: Tool.InputSchema,
		Annotations: &mcp.ToolAnnotations{
			ReadOnlyHint:    Tool.Annotations.ReadOnlyHint,
			DestructiveHint: &destructive,
			IdempotentHint:  Tool.Annotations.IdempotentHint,
			OpenWorldHint:   &openWorld,
		},
	}, func(ctx context.Context, request *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		answer := reporter.report(request.Params.Arguments, watch.facts(ctx, request))
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: answer}}}, nil
	})
}

type goSDKWatch struct {
	reporter *reporter
	next     mcp.MethodHandler
	once     sync.Once
}

func (w *goSDKWatch) middleware(next mcp.MethodHandler) mcp.MethodHandler {
	w.next = next
	return func(ctx context.Context, method string, request mcp.Request) (mcp.Result, error) {
		result, err := next(ctx, method, request)
		switch result := result.(type) {
		case *mcp.InitializeResult:
			result.Instructions = withInstructions(result.Instructions)
		case *mcp.DiscoverResult:
			result.Instructions = withInstructions(result.Instructions)
		}
		if session, ok := request.GetSession().(*mcp.ServerSession); ok && session != nil && err == nil {
			// The first request brings the session that listing the tools needs.
			w.once.Do(func() {
				w.reporter.heartbeatLater(func() []string { return w.names(context.Background(), session) })
			})
		}
		return result, err
	}
}

// names lists the tools as a client would see them.
func (w *goSDKWatch) names(ctx context.Context, session *mcp.ServerSession) []string {
	names, cursor := []string{}, ""
	for {
		params := &mcp.ListToolsParams{Cursor: cursor}
		result, err := w.next(ctx, "tools/list", &mcp.ListToolsRequest{Session: session, Params: params})
		page, ok := result.(*mcp.ListToolsResult)
		if err != nil || !ok {
			return names
		}
		for _, tool := range page.Tools {
			names = append(names, tool.Name)
		}
		if cursor = page.NextCursor; cursor == "" || len(names) >= toolsMax {
			return slices.Clip(names)
		}
	}
}

// facts reads what the SDK knows. A report without facts is better than none.
func (w *goSDKWatch) facts(ctx context.Context, request *mcp.CallToolRequest) (facts Facts) {
	defer func() {
		if recover() != nil {
			facts = Facts{}
		}
	}()
	if info := request.ClientInfo(); info != nil {
		facts.ClientType, facts.ClientVersion = info.Name, info.Version
	}
	if request.Extra != nil && request.Extra.Header != nil {
		facts.SessionID = request.Extra.Header.Get("Mcp-Session-Id")
	} else {
		facts.FallbackSession = ProcessSession
	}
	facts.ToolsAvailable = w.names(ctx, request.Session)
	return facts
}
