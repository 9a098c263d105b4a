using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Muse.Benchmarks;

/// <summary>Muse as real processes on free ports: Redis, the API, workers.</summary>
sealed class RunningMuse : IAsyncDisposable
{
    readonly string folder = Directory.CreateTempSubdirectory("muse-bench-").FullName;
    readonly List<(string Name, Process Process)> processes = [];
    readonly Dictionary<string, string> settings;

    RunningMuse(Dictionary<string, string> settings) => this.settings = settings;

    public int Port { get; } = FreePort();

    /// <summary>Starts the processes and waits until all workers are ready.</summary>
    /// <param name="device">The workers' device.</param>
    /// <param name="workers">The number of workers.</param>
    /// <param name="settings">Further environment variables.</param>
    public static Task<RunningMuse> StartAsync(string device, int workers, params (string Name, string Value)[] settings) =>
        StartAsync(device, workers, asAppHost: false, settings);

    /// <summary>Starts what the AppHost starts, by hand: an autoscaler too, and a Redis that keeps an append-only file.</summary>
    public static Task<RunningMuse> StartLikeAppHostAsync(string device, params (string Name, string Value)[] settings) =>
        StartAsync(device, workers: 1, asAppHost: true, settings);

    static async Task<RunningMuse> StartAsync(string device, int workers, bool asAppHost, (string Name, string Value)[] settings)
    {
        var muse = new RunningMuse(settings.ToDictionary(s => s.Name, s => s.Value));
        var redis = FreePort();
        muse.Run("redis", "redis-server", ["--port", $"{redis}", "--bind", "127.0.0.1", "--save", "", "--dir", muse.folder,
            .. asAppHost ? (string[])["--appendonly", "yes", "--appendfsync", "everysec"] : []]);
        muse.settings["ConnectionStrings__redis"] = $"127.0.0.1:{redis},abortConnect=false,connectRetry=20";
        muse.settings.TryAdd("MUSE_RATE_LIMITS", "false");
        muse.settings.TryAdd("Api__AllowAnonymous", "true");
        muse.settings.TryAdd("Queue__MaxLength", "1000000");
        muse.settings.TryAdd("Queue__MaxWait", "01:00:00");
        muse.settings["MUSE_GPU_TYPE"] = device;
        muse.Run("api", "dotnet", [Program("Muse.Api"), "--urls", $"http://127.0.0.1:{muse.Port}"]);
        var ports = Enumerable.Range(0, workers).Select(_ => FreePort()).ToArray();
        foreach (var port in ports)
            muse.Run("worker", "dotnet", [Program("Muse.GpuWorker"), "--urls", $"http://127.0.0.1:{port}"]);
        if (asAppHost)
            muse.Run("autoscaler", "dotnet", [Program("Muse.Autoscaler"), "--urls", $"http://127.0.0.1:{FreePort()}"]);
        await Task.WhenAll(ports.Append(muse.Port).Select(HealthyAsync));
        return muse;
    }

    /// <summary>The processor time of each kind of process so far, in seconds.</summary>
    public Dictionary<string, double> ProcessorSeconds() =>
        processes.GroupBy(p => p.Name)
            .ToDictionary(g => g.Key, g => g.Sum(p => { p.Process.Refresh(); return p.Process.TotalProcessorTime.TotalSeconds; }));

    /// <summary>Megabytes that each kind of process holds: its own memory, and its share of what several processes share (PSS).</summary>
    public Dictionary<string, double> Megabytes() =>
        processes.GroupBy(p => p.Name).ToDictionary(g => g.Key, g => g.Sum(p => Megabytes(p.Process.Id)));

    /// <summary>Megabytes that a process holds (PSS).</summary>
    public static double Megabytes(int processId)
    {
        var line = File.ReadLines($"/proc/{processId}/smaps_rollup").First(line => line.StartsWith("Pss:", StringComparison.Ordinal));
        return double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024;
    }

    public int ProcessId(string name) => processes.First(p => p.Name == name).Process.Id;

    void Run(string name, string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, WorkingDirectory = Root };
        foreach (var (variable, value) in settings)
            start.Environment[variable] = value;
        var process = Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start.");
        process.OutputDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        processes.Add((name, process));
    }

    /// <summary>Waits until the program at a port is healthy.</summary>
    public static Task HealthyAsync(int port) => AnswersAsync(port, "/health", _ => true);

    /// <summary>Waits until a worker has announced the model to the API at a port.</summary>
    public static Task ModelAnnouncedAsync(int port) =>
        AnswersAsync(port, "/v1/models", body => body.Contains("\"id\"", StringComparison.Ordinal));

    static async Task AnswersAsync(int port, string path, Predicate<string> isReady)
    {
        using var http = new HttpClient();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            try
            {
                using var response =
                    await http.GetAsync(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}{path}"), limit.Token);
                if (response.IsSuccessStatusCode && isReady(await response.Content.ReadAsStringAsync(limit.Token)))
                    return;
                await Task.Delay(100, limit.Token);
            }
            catch (HttpRequestException)
            {
                await Task.Delay(100, limit.Token); // It is starting.
            }
        }
    }

    /// <summary>The program that the build made of a project, in the benchmarks' own configuration.</summary>
    public static string Program(string project) => Path.Combine(Root, project, "bin", Configuration, "net10.0", $"{project}.dll");

    static string Root { get; } = Up(AppContext.BaseDirectory, folder => File.Exists(Path.Combine(folder, "Muse.slnx")));

    // …/benchmarks/bin/<configuration>/net10.0/
    static string Configuration { get; } = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;

    static string Up(string folder, Predicate<string> found) =>
        found(folder)
            ? folder
            : Up(Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("This is not Muse's folder."), found);

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (_, process) in Enumerable.Reverse(processes))
        {
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }
        Directory.Delete(folder, recursive: true);
    }
}
