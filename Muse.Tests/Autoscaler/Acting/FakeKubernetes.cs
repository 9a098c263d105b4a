using System.Text.Json.Nodes;
using k8s;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Muse.Tests.Autoscaler;

/// <summary>
/// The part of a Kubernetes API server that the autoscaler calls: a Deployment's scale with its version, and the pods' status. It keeps
/// what was sent.
/// </summary>
sealed class FakeKubernetes : IAsyncDisposable
{
    readonly WebApplication app;
    readonly Lock gate = new();
    readonly List<(string Verb, string Path, string? Type, string Body)> requests = [];

    FakeKubernetes(WebApplication app) => this.app = app;

    /// <summary>The workers of the Deployment.</summary>
    public int Replicas { get; set; } = 1;
    /// <summary>The Deployment's version. A patch with another one is a conflict.</summary>
    public int Version { get; set; } = 10;
    /// <summary>The status of every answer, where it is not 200.</summary>
    public int Status { get; set; } = StatusCodes.Status200OK;
    /// <summary>Called before a request is answered.</summary>
    public Action<string> Requested { get; set; } = static _ => { };
    /// <summary>Pods that are gone.</summary>
    public HashSet<string> Gone { get; } = [];

    public IReadOnlyList<(string Verb, string Path, string? Type, string Body)> Requests
    {
        get { lock (gate) return [.. requests]; }
    }

    public string Address => app.Urls.Single();
    public IKubernetes Client => new Kubernetes(new KubernetesClientConfiguration { Host = Address });

    public static async Task<FakeKubernetes> StartAsync()
    {
        var builder = WebApplication.CreateBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var server = new FakeKubernetes(builder.Build());
        server.app.Run(server.AnswerAsync);
        await server.app.StartAsync();
        return server;
    }

    async Task AnswerAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        var body = await reader.ReadToEndAsync();
        var (verb, path) = (context.Request.Method, context.Request.Path.Value!);
        int status;
        lock (gate)
        {
            requests.Add((verb, path, context.Request.ContentType?.Split(';')[0], body));
            Requested(verb);
            status = Status != 200 ? Status : path.Contains("/pods/") ? (Gone.Any(path.Contains) ? 404 : 200) : Scale(verb, body);
        }
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(path.Contains("/pods/")
            ? """{"apiVersion":"v1","kind":"Pod","metadata":{"name":"pod"}}"""
            : $$$"""
            {"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"workers","resourceVersion":"{{{Version}}}"},
             "spec":{"replicas":{{{Replicas}}}}}
            """);
    }

    int Scale(string verb, string body)
    {
        if (verb != "PATCH")
            return 200;
        var patch = JsonNode.Parse(body)!;
        if (patch["metadata"]?["resourceVersion"]?.GetValue<string>() is { } version && version != $"{Version}")
            return 409;
        Replicas = patch["spec"]!["replicas"]!.GetValue<int>();
        Version++;
        return 200;
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();
}
