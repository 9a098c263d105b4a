using System.Diagnostics;
using System.Text;

namespace Muse.Tests.Infrastructure;

/// <summary>One of Muse's programs as a process of its own.</summary>
public sealed class ProgramProcess : IAsyncDisposable
{
    readonly Process process;
    readonly StringBuilder output = new();
    bool disposed;

    /// <summary>Starts a program over a test's Redis.</summary>
    /// <param name="project">Its project, e.g. Muse.GpuWorker.</param>
    /// <param name="redis">The Redis.</param>
    /// <param name="settings">Environment variables.</param>
    public ProgramProcess(string project, RedisServer redis, params (string Name, string Value)[] settings)
        : this(project, [("ConnectionStrings__redis", redis.ConnectionString), .. settings]) { }

    /// <summary>Starts a program as it was built with the tests.</summary>
    /// <param name="project">Its project, e.g. Muse.GpuWorker.</param>
    /// <param name="settings">Environment variables.</param>
    public ProgramProcess(string project, params (string Name, string Value)[] settings)
    {
        var build = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar)); // …/bin/<configuration>/<framework>
        var binary = Path.Combine(Repository.Root, project, "bin", build.Parent!.Name, build.Name, project + ".dll");
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Repository.Root,
        };
        start.ArgumentList.Add(binary);
        start.Environment["ASPNETCORE_URLS"] = "http://127.0.0.1:0";
        start.Environment["DOTNET_TieredPGO"] = "0";
        start.Environment["Api__AllowAnonymous"] = "true"; // The API asks for keys outside Development.
        foreach (var (name, value) in settings)
            start.Environment[name] = value;
        process = Process.Start(start)!;
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public int Id => process.Id;
    public bool HasExited => process.HasExited;
    public int ExitCode => process.ExitCode;

    /// <summary>Its standard output and error so far.</summary>
    public string Output
    {
        get { lock (output) return output.ToString(); }
    }

    void Keep(string? line)
    {
        if (line is not null)
        {
            lock (output)
                output.AppendLine(line);
        }
    }

    /// <summary>SIGKILL.</summary>
    public void Kill() => Send(Signal.Kill);
    /// <summary>SIGTERM.</summary>
    public void Terminate() => Send(Signal.Terminate);
    /// <summary>SIGSTOP.</summary>
    public void Pause() => Send(Signal.Stop);
    /// <summary>SIGCONT.</summary>
    public void Resume() => Send(Signal.Continue);

    void Send(Signal signal)
    {
        lock (process)
        {
            if (!disposed && !process.HasExited)
                signal.SendTo(process.Id);
        }
    }

    public Task WaitForExitAsync(CancellationToken cancellation) => process.WaitForExitAsync(cancellation);

    public async ValueTask DisposeAsync()
    {
        if (disposed)
            return;
        Kill();
        await process.WaitForExitAsync();
        lock (process)
        {
            disposed = true;
            process.Dispose();
        }
    }
}
