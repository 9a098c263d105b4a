using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Muse.Benchmarks;

/// <summary>Muse as its AppHost starts it on real Aspire, on free ports. Linux only: it reads /proc.</summary>
sealed partial class RunningAppHost : IAsyncDisposable
{
    const double TicksPerSecond = 100; // USER_HZ of every Linux that .NET runs on.

    // In this order: the AppHost's folder is part of the commands of the orchestrator.
    static readonly (string Part, string Kind)[] Kinds =
    [
        ("Muse.Api.dll", "api"), ("Muse.GpuWorker.dll", "worker"), ("Muse.Autoscaler.dll", "autoscaler"), ("Aspire.Dashboard", "dashboard"),
        ("redis-server", "redis"), ("/dcp", "orchestrator"), ("Muse.AppHost.dll", "apphost"),
    ];

    readonly string folder = Directory.CreateTempSubdirectory("muse-bench-").FullName;
    readonly TaskCompletionSource<string> loginLink = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly Process process;

    RunningAppHost(IEnumerable<(string Name, string Value)> settings)
    {
        var start = new ProcessStartInfo("dotnet", RunningMuse.Program("Muse.AppHost"))
        {
            RedirectStandardOutput = true,
            WorkingDirectory = folder,
        };
        (string, string)[] own =
        [
            ("DOTNET_ENVIRONMENT", "Development"),
            ("ASPNETCORE_URLS", $"http://localhost:{RunningMuse.FreePort()}"),
            ("ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL", $"http://localhost:{RunningMuse.FreePort()}"),
            ("ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL", $"http://localhost:{RunningMuse.FreePort()}"),
            ("ASPIRE_ALLOW_UNSECURED_TRANSPORT", "true"),
            ("MUSE_DATA", Path.Combine(folder, "data")),
            ("MUSE_HTTP_PORT", $"{Port}"),
        ];
        foreach (var (name, value) in own.Concat(settings))
            start.Environment[name] = value;
        process = Process.Start(start) ?? throw new InvalidOperationException("dotnet did not start.");
        process.OutputDataReceived += (_, line) =>
        {
            if (line.Data is not null && LoginLink().Match(line.Data) is { Success: true } match)
                loginLink.TrySetResult(match.Value);
        };
        process.BeginOutputReadLine();
    }

    /// <summary>The API's port.</summary>
    public int Port { get; } = RunningMuse.FreePort();

    /// <summary>Starts one and waits until a worker is ready.</summary>
    /// <param name="settings">Settings, by the names of environment variables.</param>
    public static async Task<RunningAppHost> StartAsync(params (string Name, string Value)[] settings)
    {
        var host = new RunningAppHost(settings);
        await RunningMuse.HealthyAsync(host.Port);
        await RunningMuse.ModelAnnouncedAsync(host.Port);
        return host;
    }

    /// <summary>Opens the dashboard's traces in a headless browser, which stays open until it is disposed.</summary>
    public async Task<IDisposable> OpenDashboardAsync(string chromium)
    {
        var link = await loginLink.Task.WaitAsync(TimeSpan.FromMinutes(1));
        var start = new ProcessStartInfo(chromium,
        [
            "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync",
            "--remote-debugging-port=0", $"--user-data-dir={folder}/browser", $"{link}&returnUrl=/traces",
        ])
        { RedirectStandardError = true };
        return new OpenBrowser(Process.Start(start) ?? throw new InvalidOperationException($"{chromium} did not start."));
    }

    /// <summary>Processor seconds that each kind of process has used so far.</summary>
    public Dictionary<string, double> ProcessorSeconds() => Sum(id =>
    {
        // Behind the name in parentheses: state, parent, …; user and system time are the fields 14 and 15 of all.
        var stat = File.ReadAllText($"/proc/{id}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return (double.Parse(fields[11], CultureInfo.InvariantCulture) + double.Parse(fields[12], CultureInfo.InvariantCulture))
            / TicksPerSecond;
    });

    /// <summary>Megabytes that each kind of process holds: its own memory, and its share of what several processes share (PSS).</summary>
    public Dictionary<string, double> Megabytes() => Sum(RunningMuse.Megabytes);

    Dictionary<string, double> Sum(Func<int, double> measure)
    {
        var sums = new Dictionary<string, double>();
        foreach (var (id, kind) in Processes())
        {
            try
            {
                sums[kind] = sums.GetValueOrDefault(kind) + measure(id);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // It ended meanwhile.
            }
        }
        return sums;
    }

    /// <summary>
    /// All processes that the AppHost has started. They inherit its environment; Redis overwrites its own, but not its folder.
    /// </summary>
    IEnumerable<(int Id, string Kind)> Processes()
    {
        foreach (var path in Directory.GetDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(path), CultureInfo.InvariantCulture, out var id))
                continue;
            string command, environment;
            string? workingFolder;
            try
            {
                command = File.ReadAllText($"{path}/cmdline");
                environment = File.ReadAllText($"{path}/environ");
                workingFolder = new FileInfo($"{path}/cwd").LinkTarget;
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                continue; // It ended meanwhile, or belongs to another user.
            }
            if (environment.Split('\0').Contains($"MUSE_HTTP_PORT={Port}") || workingFolder == Path.Combine(folder, "data", "redis"))
                yield return (id, KindOf(command));
        }
    }

    static string KindOf(string command) =>
        Kinds.FirstOrDefault(kind => command.Contains(kind.Part, StringComparison.Ordinal)).Kind ?? "other";

    public async ValueTask DisposeAsync()
    {
        using (var kill = Process.Start("kill", ["-TERM", $"{process.Id}"]))
            await kill.WaitForExitAsync();
        await process.WaitForExitAsync();
        process.Dispose();
        while (Processes().Any())
            await Task.Delay(100);
        Directory.Delete(folder, recursive: true);
    }

    [GeneratedRegex(@"http://localhost:\d+/login\?t=\w+")]
    private static partial Regex LoginLink();

    sealed class OpenBrowser(Process browser) : IDisposable
    {
        public void Dispose()
        {
            browser.Kill(entireProcessTree: true);
            browser.WaitForExit();
            browser.Dispose();
        }
    }
}
