using System.Runtime.InteropServices;
using Aspire.Hosting.Running;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Muse.Tests.AppHost.StandIn;

public sealed class DashboardTests : IDisposable
{
    readonly string folder = Directory.CreateTempSubdirectory("muse-dashboard-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task A_dashboard_is_told_of_no_resource_service_and_one_that_ends_by_itself_is_reported_with_what_it_said()
    {
        Install("#!/bin/sh\necho \"resource service: [$ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL]\"\nexit 12\n");
        Environment.SetEnvironmentVariable("ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL", "http://localhost:1"); // As ./muse up and the launch settings have it.
        var warned = new TaskCompletionSource<string>();
        using var logs = LoggerFactory.Create(logging => logging.AddProvider(new Listener(warned)));
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL", "http://localhost:4317")]).Build();
        await using var dashboard = new Dashboard(configuration, new DashboardProgram(folder), logs);

        await dashboard.StartAsync(CancellationToken.None);

        var warning = await warned.Task.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Contains("exit code 12", warning);
        Assert.Contains("resource service: []", warning);
    }

    void Install(string script)
    {
        var package = $"aspire-cli-{(OperatingSystem.IsMacOS() ? "osx" : "linux")}-{RuntimeInformation.OSArchitecture.ToString().ToLowerInvariant()}";
        var path = Path.Combine(folder, ".tools", "node_modules", "@microsoft", package, "bin", "aspire");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, script);
        if (!OperatingSystem.IsWindows()) // Where the stand-in does not run.
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    sealed class Listener(TaskCompletionSource<string> warned) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;
        public bool IsEnabled(LogLevel logLevel) => true;
        public void Dispose() { }

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (logLevel == LogLevel.Warning)
                warned.TrySetResult(formatter(state, exception));
        }
    }
}
