namespace Muse.Queue;

/// <summary>
/// The object store can't be reached, did not answer in time, or refuses the request. The same call may succeed later.
/// </summary>
public sealed class ObjectStoreUnavailableException(string message, Exception? inner = null) : QueueUnavailableException(message, inner);
