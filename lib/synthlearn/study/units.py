from .. import stats


class U:
    def __init__(s,v): s.v=v; s.spread=stats.pooled(v.values())
    def estimate(s,a): return stats.of_units(s.v[a],s.spread,0.,1)
    def apart(s,a,b): return s.contrast({a:1,b:-1})
    def contrast(s,w):
        import math
        m=sum(x*sum(s.v[k])/len(s.v[k]) for k,x in w.items()); var=s.spread.variance*sum(x*x/len(s.v[k]) for k,x in w.items())
        return stats.Estimate(m,math.sqrt(var),s.spread.df,min(len(s.v[k]) for k in w),1,"encoders")
def part(f,name): return U({r:[m["results"][name]["top1"] for m in ms] for r,ms in f.items()})
def closest(*a): return {}
