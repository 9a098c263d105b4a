namespace Muse.Tests.Infrastructure;

/// <summary>A folder of a test's own, deleted with it.</summary>
public sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("muse-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
