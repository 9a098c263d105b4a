using System.Collections.Concurrent;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Running;

/// <summary>The Aspire dashboard, from the Aspire CLI where that is installed.</summary>
/// <remarks>
/// The settings are Aspire's own: the page at <c>ASPNETCORE_URLS</c>, traces at <c>ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL</c>.
/// Without the latter there is no dashboard. Where the user has a collector (<c>OTEL_EXPORTER_OTLP_ENDPOINT</c>), everything goes there instead.
/// </remarks>
sealed class Dashboard(IConfiguration configuration, DashboardProgram program, ILoggerFactory logs) : IAsyncDisposable
{
    readonly ILogger log = logs.CreateLogger("Aspire.Hosting.Dashboard");
    ChildProcess? process;
    volatile bool stopping;

    /// <summary>Where the resources send telemetry; null for nowhere.</summary>
    public string? OtlpEndpoint { get; private set; } = configuration["OTEL_EXPORTER_OTLP_ENDPOINT"];

    /// <summary>Starts it, or says how to get it.</summary>
    public Task StartAsync(CancellationToken cancellation)
    {
        if (OtlpEndpoint is not null || configuration["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] is not { Length: > 0 } grpc)
            return Task.CompletedTask;
        var page = configuration["ASPNETCORE_URLS"] ?? "http://localhost:18888";
        if (program.Path is not { } aspire)
        {
            log.LogInformation("No dashboard: the Aspire CLI is not installed. ./muse up installs it, or: {Command}", program.InstallCommand);
            return Task.CompletedTask;
        }
        // The CLI writes little and to people; what matters, its address, is said here, and all of it if it ends by itself.
        // Here is no resource service: a dashboard that is told of one wants to know how to log in to it, and ends.
        var said = new ConcurrentQueue<string>();
        process = ChildProcess.Start(aspire, ["dashboard", "run", "--non-interactive", "--nologo", "--allow-anonymous", "--frontend-url", page, "--otlp-grpc-url", grpc, "--otlp-http-url", Next(grpc)],
            Environment.CurrentDirectory, new Dictionary<string, string?> { ["ASPIRE_CLI_TELEMETRY_OPTOUT"] = "1", ["ASPNETCORE_URLS"] = null, ["ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL"] = null, ["DOTNET_RESOURCE_SERVICE_ENDPOINT_URL"] = null },
            said.Enqueue);
        _ = WatchAsync(process, said);
        OtlpEndpoint = grpc;
        log.LogInformation("Dashboard: {Page}", page);
        return Task.CompletedTask;
    }

    async Task WatchAsync(ChildProcess dashboard, IEnumerable<string> said)
    {
        var code = await dashboard.Exit;
        if (!stopping)
            log.LogWarning("The dashboard has ended (exit code {Code}); Muse runs on without it. It said: {Said}", code, string.Join(Environment.NewLine, said));
    }

    /// <summary>OTLP over http listens on the port after that of OTLP over gRPC, as is usual (4317, 4318).</summary>
    static string Next(string grpc)
    {
        var address = new UriBuilder(grpc);
        address.Port++;
        return address.Uri.GetLeftPart(UriPartial.Authority);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (process is null) return;
        stopping = true;
        await process.StopAsync(TimeSpan.FromSeconds(6), TimeProvider.System);
        await process.DisposeAsync();
        process = null;
    }
}
