using Muse.GpuWorker;
using Muse.Queue;
using Muse.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddMuseQueue();
builder.AddGpuWorker();

var app = builder.Build();
app.MapDefaultEndpoints();
app.MapMetrics();
return app.RunWorker();
