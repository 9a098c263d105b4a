using System.Collections;

namespace Muse.AppHost;

/// <summary>What Muse's own processes are told.</summary>
static class MuseResources
{
    /// <summary>Hands on the <c>MUSE_*</c> variables that the user set, and the numbers of workers that hold here.</summary>
    public static IResourceBuilder<ProjectResource> WithMuseSettings(this IResourceBuilder<ProjectResource> project, AppHostSettings settings)
    {
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            if (variable is { Key: string name, Value: string value } && name.StartsWith("MUSE_", StringComparison.Ordinal))
                // A project runs in its own folder: what was relative to the user's would point elsewhere there.
                project.WithEnvironment(name, name == "MUSE_MODEL" && Directory.Exists(value) ? Path.GetFullPath(value) : value);
        }

        var (min, max) = (settings.MinWorkers.ToString(), settings.MaxWorkers.ToString());
        return project.WithEnvironment("MUSE_MIN_WORKERS", min).WithEnvironment("MUSE_MAX_WORKERS", max);
    }

    /// <summary>Tells a worker which instance it is (for its heartbeats) and which GPU is its own.</summary>
    public static IResourceBuilder<ProjectResource> WithWorkerIdentity(this IResourceBuilder<ProjectResource> worker, int index)
    {
        var gpu = index.ToString();
        return worker.WithEnvironment("MUSE_INSTANCE", worker.Resource.Name).WithEnvironment("MUSE_GPU_INDEX", gpu);
    }
}
