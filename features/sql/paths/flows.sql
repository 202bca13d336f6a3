-- one row per page and the one after it before :as_of; without the first a session begins, without the last it ends
select
    node as from_node,
    node_after as to_node,
    count(*) as visits
from visits
group by node, node_after
union all
select
    cast(null as string) as from_node,
    node as to_node,
    count(*) as visits
from visits
where node_before is null
group by node
