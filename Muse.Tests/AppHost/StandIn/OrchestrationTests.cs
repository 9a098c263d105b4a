using System.Net;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.AppHost.StandIn;

public sealed class OrchestrationTests : IDisposable
{
    const string UntilAsked = "trap 'exit 0' TERM; sleep 1000 & wait";

    readonly string folder = Directory.CreateTempSubdirectory("muse-apphost-").FullName;
    readonly CancellationTokenSource limit = new(TimeSpan.FromSeconds(30));
    readonly IDistributedApplicationBuilder builder = DistributedApplication.CreateBuilder([]);

    [Fact]
    public async Task A_resource_starts_once_what_it_waits_for_is_healthy()
    {
        var status = (int)HttpStatusCode.ServiceUnavailable;
        var asked = new SemaphoreSlim(0);
        var port = RedisServer.FreePort();
        await using var health = await AnswerAsync(port, () =>
        {
            asked.Release();
            return status;
        });
        var slow = Shell("slow", UntilAsked).WithHttpEndpoint(port: port).WithHttpHealthCheck("/health");
        Shell("patient", UntilAsked).WaitFor(slow);

        await using var app = await StartAsync();
        await State(app, "slow", KnownResourceStates.Running);
        await State(app, "patient", KnownResourceStates.Waiting);
        for (var question = 0; question < 3; question++)
            await asked.WaitAsync(limit.Token);
        await State(app, "patient", KnownResourceStates.Waiting);

        status = (int)HttpStatusCode.OK;
        await State(app, "patient", KnownResourceStates.Running);
        await app.StopAsync();
    }

    [Fact]
    public async Task A_resource_is_not_started_when_what_it_waits_for_has_ended()
    {
        var broken = Shell("broken", "exit 1").WithHttpEndpoint().WithHttpHealthCheck("/health");
        Shell("patient", UntilAsked).WaitFor(broken);
        await using var app = await StartAsync();
        Assert.Equal(1, (await State(app, "broken", KnownResourceStates.Exited)).Snapshot.ExitCode);
        await State(app, "patient", KnownResourceStates.FailedToStart);
        await app.StopAsync();
    }

    [Fact]
    public async Task What_others_wait_for_is_stopped_after_them()
    {
        string Logging(string name) => $"trap 'echo {name} >> {folder}/order; exit 0' TERM; echo > {folder}/{name}; sleep 1000 & wait";
        var redis = Shell("redis", Logging("redis"));
        Shell("api", Logging("api")).WaitFor(redis);
        await using var app = await StartAsync();
        await Processes.UntilAsync(() => File.Exists($"{folder}/api") && File.Exists($"{folder}/redis"), TimeSpan.FromSeconds(30));
        await app.StopAsync();
        Assert.Equal(["api", "redis"], await File.ReadAllLinesAsync($"{folder}/order"));
    }

    [Fact]
    public async Task A_resource_with_explicit_start_starts_and_stops_on_command_again_and_again()
    {
        Shell("worker-0", UntilAsked).WithExplicitStart();
        Shell("worker-1", UntilAsked).WithExplicitStart();
        await using var app = await StartAsync();
        var id = (await State(app, "worker-1", KnownResourceStates.NotStarted)).ResourceId;
        for (var round = 0; round < 2; round++)
        {
            Assert.True((await app.ResourceCommands.ExecuteCommandAsync(id, KnownResourceCommands.StartCommand, limit.Token)).Success);
            await State(app, "worker-1", KnownResourceStates.Running);
            Assert.True((await app.ResourceCommands.ExecuteCommandAsync(id, KnownResourceCommands.StopCommand, limit.Token)).Success);
            await State(app, "worker-1", KnownResourceStates.Finished);
        }
        await State(app, "worker-0", KnownResourceStates.NotStarted);
        Assert.False((await app.ResourceCommands.ExecuteCommandAsync("worker-9", KnownResourceCommands.StartCommand, limit.Token)).Success);
        await app.StopAsync();
    }

    [Fact]
    public async Task A_resource_is_told_where_another_one_listens()
    {
        var server = Shell("server", UntilAsked).WithEndpoint(scheme: "tcp", name: "tcp");
        var endpoint = server.GetEndpoint("tcp");
        var redis = builder.AddConnectionString("redis", ReferenceExpression.Create($"{endpoint.Property(EndpointProperty.IPV4Host)}:{endpoint.Property(EndpointProperty.Port)}"));
        Shell("client", $"printf '%s %s' \"$ConnectionStrings__redis\" \"$1\" > {folder}/told.new; mv {folder}/told.new {folder}/told; {UntilAsked}")
            .WithReference(redis).WaitFor(redis).WithArgs("client", endpoint.Property(EndpointProperty.TargetPort));
        await using var app = await StartAsync();
        await Processes.UntilAsync(() => File.Exists($"{folder}/told"), TimeSpan.FromSeconds(30));
        var port = await endpoint.Property(EndpointProperty.Port).GetValueAsync(limit.Token);
        Assert.Equal($"127.0.0.1:{port} {port}", await File.ReadAllTextAsync($"{folder}/told"));
        Assert.Equal($"127.0.0.1:{port}", await ((IResourceWithConnectionString)redis.Resource).GetConnectionStringAsync());
        await app.StopAsync();
    }

    [Fact]
    public async Task A_program_that_is_missing_is_named_with_the_page_that_says_how_to_get_it()
    {
        Shell("idle", UntilAsked);
        builder.AddExecutable("load", "no-such-program", folder).WithRequiredCommand("no-such-program", "https://example.org/get");
        var said = new StringWriter();
        var console = Console.Out;
        Console.SetOut(TextWriter.Synchronized(said));
        try
        {
            await using var app = await StartAsync();
            await State(app, "load", KnownResourceStates.FailedToStart);
            await State(app, "idle", KnownResourceStates.Running);
            await app.StopAsync();
        }
        finally { Console.SetOut(console); }
        Assert.Contains("'no-such-program', which is not on the PATH. How to install it: https://example.org/get", said.ToString());
    }

    public void Dispose()
    {
        limit.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    IResourceBuilder<ExecutableResource> Shell(string name, string script) => builder.AddExecutable(name, "/bin/sh", folder, "-c", script);

    async Task<DistributedApplication> StartAsync()
    {
        var app = builder.Build();
        await app.StartAsync(limit.Token);
        return app;
    }

    Task<ResourceEvent> State(DistributedApplication app, string name, string state) =>
        app.ResourceNotifications.WaitForResourceAsync(name, change => change.Snapshot.State?.Text == state, limit.Token);

    static async Task<WebApplication> AnswerAsync(int port, Func<int> status)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var server = builder.Build();
        server.Urls.Add($"http://localhost:{port}");
        server.MapGet("/health", () => Results.StatusCode(status()));
        await server.StartAsync();
        return server;
    }
}
